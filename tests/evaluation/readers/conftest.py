"""A small reader study of pictures that are easily told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fedscan.evaluation.readers.study import ReaderStudy


@pytest.fixture
def study(tmp_path: Path) -> ReaderStudy:
    rng = np.random.default_rng(0)
    real, synthetic = rng.uniform(-1, 1, (2, 4, 16, 16)).astype(np.float32)
    captions = [f"chest X-ray {number}" for number in range(8)]
    return ReaderStudy.create(tmp_path / "study", "Chests", real, synthetic, captions)
