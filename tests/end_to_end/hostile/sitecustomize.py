"""Makes a coordinator hostile: on its path, it puts modules of its own in fedscan's place."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

_HERE = Path(__file__).parent
_REPLACED = {
    "app": {"fedscan.server.coordinator.app": "attack.py"},
    "joint": {"fedscan.server.coordinator.app": "joint_attack.py"},
    "bundle": {"fedscan.federation.bundle": "hostile_bundle.py"},
}


class _Finder:
    """Finds the replaced modules first."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        file = _REPLACED[os.environ["HOSTILE"]].get(name)
        return importlib.util.spec_from_file_location(name, _HERE / file) if file else None


if "HOSTILE" in os.environ:
    sys.meta_path.insert(0, _Finder)
