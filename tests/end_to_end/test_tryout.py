"""A whole federation in one command: it trains, and it ends its own processes and no others."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import LIMIT_S, fedscan, until

pytestmark = [
    pytest.mark.real_processes,
    pytest.mark.skipif(
        shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") is None,
        reason="nginx is not installed (apt install nginx-light)",
    ),
]


class TryOut:
    """A running ``fedscan try``."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.said = folder, folder.with_suffix(".log")
        program = "from fedscan.cli.main import run; run()"
        with self.said.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, "try", str(folder), "--yes", *options],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    def says(self, text: str) -> None:
        """Wait until it has said something."""
        until(lambda: text in self.said.read_text() or self.process.poll() is not None, text)
        assert text in self.said.read_text(), self.said.read_text()

    def processes(self) -> set[int]:
        """Return its processes, and theirs, by number."""
        parents = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(status.parent.name)] = int(
                    status.read_text().rpartition(")")[2].split()[1]
                )
            except (OSError, ValueError):
                continue
        own = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in own} - own:
            own |= more
        return own - {self.process.pid}


def alive(processes: set[int]) -> set[int]:
    """Return those that still run; one that nobody has waited for yet has ended."""
    found = set()
    for pid in processes:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            found.add(pid)
    return found


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same user that has nothing to do with it."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100000)"])
    yield process
    process.kill()
    process.wait()


def test_it_trains_and_ctrl_c_leaves_nothing_behind(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    made = TryOut(tmp_path / "try", "--set", "federation.rounds=1")
    try:
        made.says("Round 1 of 1 is done")
        made.says("The study is finished")
        study = made.folder / "coordinator" / "studies" / "try"
        key = made.folder / "coordinator" / "records" / "record.pub"
        shown = fedscan(
            *("coordinator", "verify", study / "record.json", "--key", key),
            *("--generator", study / "generator"),
        )
        assert "hospital-a, hospital-b" in shown
        own = made.processes()
        assert len(own) >= 8, "coordinator, its three, two sites, their nodes, the page"
        made.process.send_signal(signal.SIGINT)
        made.process.send_signal(signal.SIGINT)
        assert made.process.wait(LIMIT_S) == 0, made.said.read_text()
    finally:
        made.process.kill()
    assert alive(own) == set()
    assert not made.folder.exists()
    assert stranger.poll() is None


def test_killed_it_takes_its_processes_along_and_stop_removes_what_it_left(tmp_path: Path) -> None:
    made = TryOut(tmp_path / "try")
    try:
        made.says("Dashboard: ")
        own = made.processes()
    finally:
        made.process.kill()
        made.process.wait()
    until(lambda: not alive(own), f"the end of {alive(own)}")
    assert (made.folder / "coordinator" / "ca").exists()
    fedscan("try", made.folder, "--stop")
    assert not made.folder.exists()


def test_another_terminal_stops_it(tmp_path: Path) -> None:
    made = TryOut(tmp_path / "try")
    try:
        made.says("site add-data")
        fedscan("try", made.folder, "--stop")
        made.process.wait(LIMIT_S)
    finally:
        made.process.kill()
    assert not made.folder.exists()
