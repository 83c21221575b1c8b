"""Damaged compressed streams that crash, panic or hang a decoder cost one file only."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from fedscan.imaging.dicom.decoding.codecs import CodecProcess, safe_frames
from fedscan.imaging.dicom.pixels import read_frames
from fedscan.imaging.dicom.set_aside import Reason, SetAsideError

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"
#: Found by flipping bytes at random: offset and new value.
PANICS = ("MR_small_RLE.dcm", {4719: 225, 5525: 130, 6932: 42})
HANGS = (
    "JPEGLSNearLossless_16.dcm",
    {588: 0, 595: 80, 646: 83, 661: 174, 664: 60, 695: 90, 719: 43},
)


def damaged(folder: Path, name: str, changes: dict[int, int]) -> Path:
    content = bytearray((BUNDLED / name).read_bytes())
    for place, value in changes.items():
        content[place] = value
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path: Path, worker: CodecProcess) -> Reason:
    with pytest.raises(SetAsideError) as caught:
        list(worker.read_frames(path, [0], "physical"))
    return caught.value.reason


@pytest.fixture(scope="module")
def worker():
    process = CodecProcess()
    yield process
    process.stop()


def test_frames_are_those_of_the_codec(worker):
    for name in ("MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "JPGExtended.dcm"):
        (expected,) = read_frames(BUNDLED / name, [0], "physical")
        (image,) = worker.read_frames(BUNDLED / name, [0], "physical")
        np.testing.assert_array_equal(image, expected)
        assert image.dtype == np.float32


def test_a_refusal_has_its_reason(worker):
    assert refusal(BUNDLED / "JPEG-lossy.dcm", worker) is Reason.BROKEN
    assert refusal(Path("nowhere"), worker) is Reason.BROKEN


def test_a_panic_is_a_broken_file(tmp_path, worker):
    assert refusal(damaged(tmp_path, *PANICS), worker) is Reason.BROKEN
    assert len(list(worker.read_frames(BUNDLED / "MR_small_RLE.dcm", [0], "physical"))) == 1


def test_an_endless_decoder_is_stopped(tmp_path):
    hurried = CodecProcess(limit_s=2.0)
    assert refusal(damaged(tmp_path, *HANGS), hurried) is Reason.BROKEN
    assert len(list(hurried.read_frames(BUNDLED / "MR_small_RLE.dcm", [0], "physical"))) == 1
    hurried.stop()


def test_a_dead_worker_is_replaced(worker):
    # More frames than fit into a pipe: the worker is still at it when it is killed.
    frames = worker.read_frames(BUNDLED / "examples_ybr_color.dcm", range(30), "physical")
    next(frames)
    os.kill(worker._process.pid, 9)
    with pytest.raises(SetAsideError):
        list(frames)
    assert len(list(worker.read_frames(BUNDLED / "MR_small_RLE.dcm", [0], "physical"))) == 1


def test_frames_left_unread_do_not_mix_with_the_next_file():
    two = BUNDLED / "SC_rgb_rle_2frame.dcm"
    first = safe_frames(two, [0, 1], "physical", compressed=True)
    next(first)
    first.close()
    (image,) = safe_frames(BUNDLED / "MR_small_RLE.dcm", [0], "physical", compressed=True)
    assert image.shape == (64, 64)
