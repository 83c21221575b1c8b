"""The site's ClientApp: what a hospital runs."""

from __future__ import annotations

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from ..protocol import STATISTICS, RoundRequest
from .border import answer
from .round import run_round
from .statistics import run_statistics

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Answer a round's request with new trainable tensors, or with an error's code."""
    return answer(
        message,
        context,
        lambda received, site: run_round(RoundRequest.from_records(received.content), site),
    )


@app.query(STATISTICS)
def statistics(message: Message, context: Context) -> Message:
    """Answer with noised sums of the patients' coarse images, or with an error's code."""
    return answer(
        message,
        context,
        lambda received, site: run_statistics(RoundRequest.from_records(received.content), site),
    )
