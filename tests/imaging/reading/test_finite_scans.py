"""What is read of a file is finite, whatever the file holds; so are the numbers of a request."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from fedscan.applications.limits import require_within
from fedscan.errors import ConfigurationError
from fedscan.imaging.reading.scan_files import read_scan


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_infinite_voxels_are_unknown_ones(tmp_path: Path, value: float) -> None:
    values = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    values[1, 2, 3] = value
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "scan.nii.gz")
    scan = read_scan(tmp_path / "scan.nii.gz")
    assert np.isfinite(scan.values).all()
    assert np.isfinite(scan.limits).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_no_number_of_a_request_is_infinite(value: float) -> None:
    with pytest.raises(ConfigurationError, match="guidance is"):
        require_within("guidance", value, 0)
