"""Phantom hospitals of a simulation: all of them or none, and written once."""

from __future__ import annotations

from pathlib import Path

import pytest
from fedscan.phantoms.settings import PhantomSettings
from fedscan.server.events import Event
from fedscan.simulation.events import StageProgress, StageStarted
from fedscan.simulation.phantoms import phantom_hospitals

FEW = PhantomSettings(patients=(1, 1), contrasts=("CT",), slices=1, matrix=32)


def test_hospitals_are_written_once(tmp_path: Path) -> None:
    events: list[Event] = []
    folder = phantom_hospitals(tmp_path / "hospitals", FEW, progress=events.append)
    assert isinstance(events[0], StageStarted)
    assert [one.share for one in events if isinstance(one, StageProgress)] == [1.0, 1.0]
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.dcm")}
    assert len({path.relative_to(folder).parts[0] for path in files}) == 2
    phantom_hospitals(folder, FEW, progress=events.append)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.dcm")} == files


def test_a_part_of_them_is_never_there(tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, StageProgress):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        phantom_hospitals(tmp_path / "hospitals", FEW, progress=stop)
    assert list(tmp_path.iterdir()) == []
