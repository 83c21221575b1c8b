"""A file with infinite values is refused; what is not known may be NaN."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from fedscan.applications.limits import require_within
from fedscan.errors import ConfigurationError, DataError
from fedscan.imaging.reading.scan_files import read_scan
from PIL import Image


def nifti(path: Path, value: float) -> Path:
    values = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    values[1, 2, 3] = value
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    return path


def test_infinite_voxels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="infinite values"):
        read_scan(nifti(tmp_path / "scan.nii.gz", np.inf))
    assert np.isfinite(read_scan(nifti(tmp_path / "scan.nii.gz", np.nan)).values).all()


def test_so_are_pictures(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), np.nan, np.float32)).save(tmp_path / "scan.tiff")
    with pytest.raises(DataError, match="not finite"):
        read_scan(tmp_path / "scan.tiff")


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_no_number_of_a_request_is_infinite(value: float) -> None:
    with pytest.raises(ConfigurationError, match="guidance is"):
        require_within("guidance", value, 0)
