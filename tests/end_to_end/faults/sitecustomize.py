"""Makes a process of the coordinator stop in the middle of something, once.

The server of a study stops after the first part of a model, so that a test sees a site wait for the
rest, and kills it. The SuperLink stops when it counts a question as delivered, and before it hands
it to the proxy, so that a test kills that one in between.
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


def _halt_before_handing_over(handlers: Any) -> None:
    pull_messages = handlers.pull_messages

    def halting(*arguments: Any, **options: Any) -> Any:
        response, marker = pull_messages(*arguments, **options), Path(os.environ["HANDED_OVER"])
        kinds = [one.metadata.message_type for one in response.messages_list]
        if os.environ["LOST_KIND"] in kinds and not marker.exists():
            marker.touch()
            time.sleep(20)
        return response

    handlers.pull_messages = halting


if "HANDED_OVER" in os.environ:
    change_on_import("flwr.superlink.servicer.fleet.fleet_handlers", _halt_before_handing_over)
if "HALTED" in os.environ:
    change_on_import("flwr.superlink.grid.http_grid", _halt_in_the_middle)
