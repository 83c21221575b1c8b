"""The site's ClientApp: what a hospital runs."""

from __future__ import annotations

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from ..protocol import RoundRequest
from .border import answer
from .round import run_round

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Answer a round's request with new trainable tensors, or with an error's code."""
    return answer(
        message,
        context,
        lambda received, site: run_round(RoundRequest.from_records(received.content), site),
    )
