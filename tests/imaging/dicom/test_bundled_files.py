"""All of pydicom's own test files, the broken ones too, go through without a crash."""

from __future__ import annotations

from pathlib import Path

import pydicom.data
import pytest
from fedscan.client.data.dataset import SiteDataset
from fedscan.imaging.dicom.folder import list_files
from fedscan.imaging.dicom.index import SiteIndex, index_folder
from fedscan.imaging.dicom.set_aside import Reason
from fedscan.imaging.settings import DataSettings

BUNDLED = Path(pydicom.data.__file__).parent
STRICT = DataSettings(image_size=16)
LAX = DataSettings(image_size=16, colour="luminance", burned_in="refuse_marked")


def used_files(index: SiteIndex) -> set[str]:
    used = set()
    for patient in index.patients:
        for study in patient.studies:
            for series in study.series:
                used.update(item.path for stack in series.stacks for item in stack.slices)
                used.update(series.segmentations)
    return used


@pytest.mark.parametrize("settings", [STRICT, LAX])
@pytest.mark.parametrize("folder", ["test_files", "charset_files"])
def test_every_file_is_used_or_counted_with_a_reason(tmp_path, folder, settings):
    files = list_files(BUNDLED / folder)
    index = index_folder(BUNDLED / folder, settings)
    assert len(used_files(index)) + index.set_aside.total() == len(files)
    dataset = SiteDataset.open(BUNDLED / folder, settings, tmp_path)
    for key in dataset.patients:
        for example in dataset.examples(key):
            assert example.image.shape == (16, 16)
            assert abs(example.image).max() <= 1


def test_what_is_set_aside_and_why():
    """Counts for pydicom 3.0, which ships 176 test files, 95 of them with pixels."""
    assert index_folder(BUNDLED / "test_files", STRICT).set_aside == {
        Reason.NO_PIXELS: 73,  # directories, plans, reports, and headers without their pixels
        Reason.MODALITY: 42,  # secondary captures of no modality, nuclear medicine, dose
        Reason.NOT_DICOM: 10,
        Reason.DUPLICATE: 8,  # one MR slice in eight encodings, one segmentation in two
        Reason.COLOUR: 4,
        Reason.LOCALIZER: 12,  # two flagged, ten by their names and crossing planes
        Reason.NO_PATIENT: 1,
        Reason.BROKEN: 1,  # MR_truncated.dcm
        Reason.ORPHAN: 1,
    }
