"""A site whose disk is full: nothing leaves, nothing is lost, and with room it goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import verify
from fedscan.errors import AuditError
from fedscan.federation.protocol import RoundReply, RoundRequest, tensors_digest
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from site_homes import begin_anew, invitation_of, make_home

_BLOCK = 4096


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    begin_anew()
    try:
        yield folder
    finally:
        begin_anew()
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, blocks: int) -> Path:
    """Fill a disk up to so many free blocks."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        free = os.statvfs(folder).f_bavail - blocks
        file.write(b"\0" * (free * _BLOCK))
    assert os.statvfs(folder).f_bavail <= blocks
    return filler


def paid(home: SiteHome) -> list[str]:
    folder = home.state("chest") / "ledger"
    entries = LedgerView.read(folder).entries if folder.is_dir() else []
    return [one.record.purpose for one in entries if isinstance(one.record, Reserve)]


def test_a_full_disk_costs_nothing_twice_and_loses_nothing(
    small: Path,
    base: Path,
    ask: Callable[..., RoundReply],
    make_request: Callable[..., RoundRequest],
) -> None:
    home, request = make_home(small, base), make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    codes, answers = [], []
    # Each time it gets a little further before the disk is full.
    for blocks in (0, 3, 6, 9, 12):
        filler = fill(small, blocks)
        begin_anew()
        reply = ask(request, at=home)
        filler.unlink()
        codes.append(reply.code)
        if reply.code == "ok":
            answers.append(tensors_digest(reply.tensors))
        else:
            assert not reply.tensors
    assert codes[0] == AuditError.code
    assert set(codes) <= {"ok", "audit", "ledger", "internal", "data"}
    begin_anew()
    answers += [tensors_digest(ask(request, at=home).tensors) for _ in range(2)]
    assert len(set(answers)) == 1
    assert paid(home) == ["patient count", "round 1"]
    verify(home.audit)
