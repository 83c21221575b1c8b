"""Headers that were damaged at random crash nothing, and no patient gets what is another's."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.dicom.set_aside import Reason
from fedscan.imaging.examples.series import series_examples
from fuzzed_headers import SETTINGS, look, write_fuzzed
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_nothing_crashes_and_nothing_is_mixed(seed):
    with tempfile.TemporaryDirectory() as name:
        written = write_fuzzed(Path(name), 20, seed)
        index, _, _ = look(Path(name), written)
        used = sum(len(patient.files) for patient in index.patients)
        assert used + index.set_aside.total() >= len(written)


def test_what_is_not_damaged_is_read(tmp_path):
    written = write_fuzzed(tmp_path, 200, 1)
    index, _, examples = look(tmp_path, written)
    assert len(index.patients) >= 10
    assert examples >= len(written) / 4


@pytest.mark.parametrize("thickness", [0, 1e-300, 1e300, -1e-9])
def test_a_thickness_that_no_scanner_has_is_none(tmp_path, write_image, thickness):
    write_image(tmp_path / "a", np.full((16, 16), 40, np.int16), SliceThickness=f"{thickness:g}")
    (series,) = index_folder(tmp_path, SETTINGS).patients[0].studies[0].series
    assert len(series_examples(tmp_path, series, SETTINGS).examples) == 1


@pytest.mark.parametrize("place", ["1e300", "-1e9", "1e400", "1e6"])
def test_a_place_beyond_any_scanner_is_none(tmp_path, make_image, save_dicom, place):
    ds = make_image(np.full((16, 16), 40, np.int16))
    ds.ImagePositionPatient = ["0", "0", place]
    save_dicom(ds, tmp_path / "a")
    assert index_folder(tmp_path, SETTINGS).set_aside == {Reason.GEOMETRY: 1}
