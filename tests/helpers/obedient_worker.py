"""A process at the other end of a warm worker's pipe that does what a task's one word says.

It imports nothing of the package, so that it is there at once.
"""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path


def obey(tasks: Connection, note: Path, taken: str, unfit: str, done: str) -> None:
    """Say, of each task, what a worker would say, and write down those that were taken."""
    while True:
        (word,) = tasks.recv()
        if word == "refuse":
            tasks.send(unfit)
            return
        if word == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        with note.open("a") as file:
            file.write(f"{word}\n")
        tasks.send(taken)
        if word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "work":
            time.sleep(3600)
        tasks.send(done)
