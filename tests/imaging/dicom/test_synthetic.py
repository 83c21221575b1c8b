"""Images that no patient was imaged for are told by their marks, and set aside unless asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.dicom.set_aside import Reason
from fedscan.imaging.reading.scan_files import read_scan
from fedscan.imaging.settings import DataSettings
from fedscan.imaging.writing.dicom import write_dicom_series
from fedscan.imaging.writing.provenance import Provenance
from fedscan.imaging.writing.space import grid_for
from fedscan.model.description import Description
from pydicom.dataset import Dataset
from tiny_hospitals import write_hospitals


def of_nobody(ds: Dataset) -> None:
    ds.SyntheticData = "YES"


def by_fedscan(ds: Dataset) -> None:
    ds.Manufacturer = "fedscan"


def with_fedscans_help(ds: Dataset) -> None:
    equipment = Dataset()
    equipment.Manufacturer = "Fedscan"
    ds.ContributingEquipmentSequence = [equipment]


def acquired(ds: Dataset) -> None:
    ds.SyntheticData, ds.Manufacturer = "NO", "fedscan-like scanners"


def phantom(ds: Dataset) -> None:
    ds.SyntheticData, ds.SoftwareVersions = "YES", ["1", "fedscan phantoms"]


@pytest.mark.parametrize(
    ("mark", "is_set_aside"),
    [
        (of_nobody, True),
        (by_fedscan, True),
        (with_fedscans_help, True),
        (acquired, False),
        (phantom, False),
    ],
)
def test_synthetic_files_are_set_aside_with_a_reason_unless_asked_for(
    tmp_path: Path, mark, is_set_aside: bool
) -> None:
    write_hospitals(tmp_path, {"site": 2}, images=1)
    changed = tmp_path / "site" / "1-0.dcm"
    ds = pydicom.dcmread(changed)
    mark(ds)
    ds.save_as(changed)
    index = index_folder(tmp_path / "site", DataSettings(image_size=32))
    assert len(index.patients) == 2 - is_set_aside
    assert index.set_aside == ({Reason.SYNTHETIC: 1} if is_set_aside else {})
    accepting = DataSettings(image_size=32, synthetic="accept")
    assert len(index_folder(tmp_path / "site", accepting).patients) == 2
    # What was remembered under one setting does not answer for the other.
    for settings, patients in ((accepting, 2), (DataSettings(image_size=32), 2 - is_set_aside)):
        cache = tmp_path / "cache"
        assert len(index_folder(tmp_path / "site", settings, cache=cache).patients) == patients


def test_what_fedscan_wrote_is_set_aside_and_still_opened_as_a_scan(tmp_path: Path) -> None:
    shown = Description(modality="CT", body_part="head", plane="axial")
    origin = Provenance(prompt="ct", caption="ct", seed=1, index=0, generator="0" * 64)
    grid = grid_for("head", "axial", (4, 32, 32), 3.0)
    pixels = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32)).astype(np.float32)
    write_dicom_series(tmp_path, pixels, grid, shown, origin, number=1)
    index = index_folder(tmp_path, DataSettings(image_size=32))
    assert (len(index.patients), index.set_aside) == (0, {Reason.SYNTHETIC: 4})
    assert read_scan(tmp_path).synthetic
