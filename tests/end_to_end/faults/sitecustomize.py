"""Makes the server of a coordinator's study stop in the middle of sending a model, once.

It comes to a halt after the first part, so that a test sees a site wait for the rest, and kills it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path
from typing import Any

_MODULE = "flwr.superlink.grid.http_grid"


class _Finder:
    """Finds Flower's grid as it is, and changes it once it is loaded."""

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> Any:
        if name != _MODULE:
            return None
        sys.meta_path.remove(cls)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            module.push_objects = _halting(module.push_objects)

        spec.loader.exec_module = exec_module
        return spec


def _halting(push_objects: Any) -> Any:
    def halting(objects: Any, push_object_fn: Any, **options: Any) -> None:
        marker = Path(os.environ["HALTED"])
        halts = not marker.exists()

        def push(object_id: str, content: bytes) -> None:
            if halts and marker.exists():
                time.sleep(3600)
            push_object_fn(object_id, content)
            if halts:
                marker.touch()

        push_objects(objects, push, **options)

    return halting


if "HALTED" in os.environ:
    sys.meta_path.insert(0, _Finder)
