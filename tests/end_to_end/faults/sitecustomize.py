"""Makes the server of a coordinator's study stop in the middle of sending a model, once.

It comes to a halt after the first part, so that a test sees a site wait for the rest, and kills it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from on_import import change_on_import


def _halt_in_the_middle(grid: Any) -> None:
    from flwr.app import Message

    push_objects = grid.push_objects

    def halting(objects: Any, push_object_fn: Any, **options: Any) -> None:
        marker = Path(os.environ["HALTED"])
        trains = any(
            isinstance(one, Message) and one.metadata.message_type == "train"
            for one in objects.values()
        )
        halts = trains and not marker.exists()

        def push(object_id: str, content: bytes) -> None:
            if halts and marker.exists():
                time.sleep(3600)
            push_object_fn(object_id, content)
            if halts:
                marker.touch()

        push_objects(objects, push, **options)

    grid.push_objects = halting


if "HALTED" in os.environ:
    change_on_import("flwr.superlink.grid.http_grid", _halt_in_the_middle)
