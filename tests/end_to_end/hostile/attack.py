"""A coordinator's app that sends every site whatever it was given, and keeps all that comes back.

It also travels in the hostile bundle, where fedscan is the bundle's own: it must not import it.
"""

from __future__ import annotations

import json
import os
import pickle
import time
from pathlib import Path

from flwr.app import ArrayRecord, Context, Message
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Ask each node each question."""
    with open(os.environ["HOSTILE_QUESTIONS"], "rb") as file:
        questions = pickle.load(file)
    while not (nodes := list(grid.get_node_ids())):
        time.sleep(0.2)
    answers = {}
    for name, kind, records in questions:
        replies = grid.send_and_receive([Message(records, node, kind) for node in nodes])
        answers[name] = [_shown(reply) for reply in replies]
    out = Path(os.environ["HOSTILE_ANSWERS"])
    out.with_suffix(".part").write_text(json.dumps(answers))
    out.with_suffix(".part").rename(out)


def _shown(reply: Message) -> dict[str, object]:
    if reply.has_error():
        return {"error": [reply.error.code, reply.error.reason]}
    return {
        name: len(record) if isinstance(record, ArrayRecord) else dict(record)
        for name, record in reply.content.items()
    }
