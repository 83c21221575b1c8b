"""A coordinator's app that makes itself a roster of invented hospitals, and asks for what it likes.

First it asks the site for its keys and writes them down; the test makes the roster and approves it
at the site, as a steward would whom the coordinator deceives. Then it asks each question.
"""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

from flwr.app import Context, Message
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Ask for keys, then each question of each list that the test puts there."""
    folder = Path(os.environ["HOSTILE_FOLDER"])
    while not (nodes := list(grid.get_node_ids())):
        time.sleep(0.2)
    number = 0
    while not (folder / "stop").exists():
        questions = folder / f"questions-{number}.pickle"
        if not questions.exists():
            time.sleep(0.2)
            continue
        answers = {}
        for name, kind, records in pickle.loads(questions.read_bytes()):
            replies = grid.send_and_receive([Message(records, node, kind) for node in nodes])
            answers[name] = [_shown(reply) for reply in replies]
        part = folder / f"answers-{number}.part"
        part.write_bytes(pickle.dumps(answers))
        part.rename(folder / f"answers-{number}.pickle")
        number += 1


def _shown(reply: Message) -> object:
    return ("error", reply.error.reason) if reply.has_error() else ("content", reply.content)
