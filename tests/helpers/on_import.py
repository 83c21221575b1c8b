"""Changes a module of a real process as soon as it is loaded there.

A process that starts with :func:`path_with` a folder imports the folder's ``sitecustomize`` first,
which calls :func:`change_on_import`.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def path_with(folder: Path) -> str:
    """Return a ``PYTHONPATH`` that holds a ``sitecustomize``, this module and the package."""
    import fedscan

    return ":".join(map(str, (folder, Path(__file__).parent, Path(fedscan.__file__).parents[1])))


def change_on_import(name: str, change: Callable[[Any], None]) -> None:
    """Let a module be found as it is, and change it once it is loaded."""

    class Finder:
        @classmethod
        def find_spec(cls, wanted: str, path: Any = None, target: Any = None) -> Any:
            if wanted != name:
                return None
            sys.meta_path.remove(cls)
            spec = importlib.util.find_spec(name)
            load = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                load(module)
                change(module)

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder)
