"""Phantoms as a PACS holds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings
from orthanc import Orthanc, orthanc, require_orthanc


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One phantom hospital of two patients, with segmentations."""
    out = tmp_path_factory.mktemp("data") / "hospitals"
    write_hospitals(
        out,
        PhantomSettings(
            patients=(2,), slices=3, contrasts=("T1", "CT"), paired_share=1.0, matrix=64
        ),
    )
    return next(out.iterdir())


@pytest.fixture
def pacs(tmp_path: Path, phantoms: Path) -> Iterator[Orthanc]:
    """Orthanc with the phantoms."""
    require_orthanc()
    with orthanc(tmp_path / "orthanc") as running:
        running.add(*sorted(phantoms.rglob("*.dcm")))
        yield running
