"""What an earlier commit wrote (``tests/compatibility/before``), and copies to go on with."""

from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from fedscan import __version__
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.events import Event

BEFORE = Path(__file__).parents[1] / "compatibility" / "before"
EXPECTED: dict[str, Any] = json.loads((BEFORE / "expected.json").read_text())
BASE = BEFORE / "generator"
SITES = ("north", "south")
#: A request is paid for by software; what repeats one must be the software that paid for it.
SAME_SOFTWARE = (EXPECTED["fedscan"], EXPECTED["torch"], EXPECTED["machine"]) == (
    __version__,
    torch.__version__,
    platform.machine(),
)

needs_same_software = pytest.mark.skipif(
    not SAME_SOFTWARE, reason="A payment is repeated only by the software that it was made with."
)


def ignore(event: Event) -> None:
    """Take no notice."""


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def copied(source: Path, target: Path) -> Path:
    """Copy a folder, for its owner alone: git keeps neither modes nor times."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    for path in (target, *target.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return target


def paid(ledger: Path) -> list[str]:
    """Return what a ledger's budget was taken for."""
    entries = LedgerView.read(ledger).entries
    return [one.record.purpose for one in entries if isinstance(one.record, Reserve)]


def moved(folder: Path, root: Path) -> None:
    """Replace the path below which the homes were made, in the settings of one."""
    for path in folder.rglob("*.toml"):
        path.write_text(path.read_text().replace(EXPECTED["work"], str(root)))
