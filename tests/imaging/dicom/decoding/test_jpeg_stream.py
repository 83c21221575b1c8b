"""A JPEG stream that was cut or overwritten is refused, and a whole one never is."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from fedscan.imaging.dicom.decoding.codecs import safe_frames
from fedscan.imaging.dicom.decoding.jpeg2000_stream import require_whole_jpeg2000
from fedscan.imaging.dicom.decoding.jpeg_stream import DamagedStreamError, require_whole
from fedscan.imaging.dicom.set_aside import Reason, SetAsideError
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"
#: Rows and columns that fill no whole number of blocks.
SHAPE = (61, 83)


def picture(seed: int = 0) -> np.ndarray:
    rows, columns = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]] / 12
    noise = np.random.default_rng(seed).normal(0, 6, SHAPE)
    return (110 + 60 * np.sin(rows) * np.cos(columns) + noise).clip(0, 255).astype(np.uint8)


def jpeg(pixels: np.ndarray, mode: str = "L", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def frames(name: str) -> list[bytes]:
    ds = dcmread(BUNDLED / name)
    return list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames", 1))))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    mode=st.sampled_from(["L", "RGB"]),
    quality=st.integers(5, 100),
    subsampling=st.integers(0, 2),
    optimize=st.booleans(),
    restart=st.integers(0, 9),
    padding=st.sampled_from([b"", b"\0", b"\xff"]),
)
def test_whole_streams_pass(seed, mode, quality, subsampling, optimize, restart, padding):
    stream = jpeg(
        picture(seed),
        mode,
        quality=quality,
        subsampling=subsampling,
        optimize=optimize,
        restart_marker_blocks=restart,
    )
    require_whole(stream + padding)


@pytest.mark.parametrize(
    "name",
    ["JPGExtended.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_dcmtk_+eb+cy+s2.dcm"],
    ids=["12 bits", "lossless in colour", "subsampled"],
)
def test_whole_streams_of_other_encoders_pass(name):
    for stream in frames(name):
        require_whole(stream)


STREAMS = {
    "baseline": jpeg(picture(), quality=90),
    "restarts": jpeg(picture(), quality=90, restart_marker_blocks=5),
    "progressive": jpeg(picture(), quality=90, progressive=True),
    "12 bits": frames("JPGExtended.dcm")[0].rstrip(b"\xff"),
    "lossless": frames("SC_rgb_jpeg_gdcm.dcm")[0],
}


def test_bits_behind_a_cut_that_are_no_code_are_not_taken_for_samples():
    with pytest.raises(DamagedStreamError):
        require_whole(STREAMS["lossless"][:2343] + b"\xff\xd9")


@pytest.mark.parametrize("kind", STREAMS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_stream_that_is_cut_anywhere_is_refused(kind, data):
    stream = STREAMS[kind]
    end = stream.rindex(b"\xff\xd9")
    cut = data.draw(st.integers(0, end))
    for rest in (b"", b"\0\0", b"\xff\xd9"):
        if rest == b"\xff\xd9" and (kind == "progressive" or end - cut < 4):
            continue  # only Huffman codes of sequential streams are counted
        with pytest.raises(DamagedStreamError):
            require_whole(stream[:cut] + rest)


@pytest.mark.parametrize("kind", ["baseline", "12 bits", "lossless"])
def test_an_overwritten_stream_is_refused(kind):
    stream, draw = STREAMS[kind], random.Random(1)
    begin = stream.rindex(b"\xff\xda") + 20
    refused = 0
    for _ in range(60):
        damaged = bytearray(stream)
        place = draw.randrange(begin, len(stream) - 70)
        damaged[place : place + 64] = bytes(draw.randrange(255) for _ in range(64))
        try:
            require_whole(bytes(damaged))
        except DamagedStreamError:
            refused += 1
    assert refused >= 55, "codes may fall into step again, with the very number of blocks"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_whole_or_damaged(content):
    for stream in (content, b"\xff\xd8" + content, STREAMS["baseline"][:300] + content):
        with pytest.raises(DamagedStreamError):
            require_whole(stream)


def jpeg2000(size: int = 128) -> bytes:
    noise = np.random.default_rng(1).normal(100, 20, (size, size)).clip(0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "JPEG2000", no_jp2=True)
    return stream.getvalue()


@settings(max_examples=40, deadline=None)
@given(
    mode=st.sampled_from(["L", "RGB"]),
    tile=st.sampled_from([None, (32, 32)]),
    irreversible=st.booleans(),
    boxed=st.booleans(),
    padding=st.sampled_from([b"", b"\0"]),
)
def test_whole_streams_of_jpeg_2000_pass(mode, tile, irreversible, boxed, padding):
    stream = io.BytesIO()
    options = {"irreversible": irreversible, "no_jp2": not boxed}
    Image.fromarray(picture()).convert(mode).save(stream, "JPEG2000", tile_size=tile, **options)
    require_whole_jpeg2000(stream.getvalue() + padding)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_jpeg_2000_that_is_cut_or_overwritten_is_refused(data):
    stream = jpeg2000()
    cut = data.draw(st.integers(0, len(stream) - 1))
    with pytest.raises(DamagedStreamError):
        require_whole_jpeg2000(stream[:cut])
    place = data.draw(st.integers(200, len(stream) - 4100))
    noise = np.random.default_rng(data.draw(st.integers(0, 99))).bytes(4000)
    with pytest.raises(DamagedStreamError):
        require_whole_jpeg2000(stream[:place] + noise + stream[place + 4000 :])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_are_no_whole_jpeg_2000(content):
    for stream in (content, b"\xff\x4f\xff\x51" + content, jpeg2000(16)[:60] + content):
        with pytest.raises(DamagedStreamError):
            require_whole_jpeg2000(stream)


@pytest.fixture
def film(make_image) -> Dataset:
    return make_image(picture(), Modality="DX")


def read(path: Path) -> np.ndarray:
    (image,) = safe_frames(path, [0], "physical", compressed=True)
    return image


@pytest.mark.parametrize(
    "syntax", [JPEGBaseline8Bit, JPEGLSLossless, JPEG2000Lossless, RLELossless]
)
def test_no_film_is_half_decoded(tmp_path, film, save_dicom, syntax):
    path = save_dicom(film, tmp_path / "a")
    ds = dcmread(path)
    if syntax == JPEGBaseline8Bit:
        ds.PixelData = encapsulate([jpeg(picture(), quality=95)])
        ds.file_meta.TransferSyntaxUID = syntax
        ds["PixelData"].is_undefined_length = True
    else:
        ds.compress(syntax)
    ds.save_as(path)
    np.testing.assert_allclose(read(path), picture(), atol=12)
    (stream,) = generate_frames(ds.PixelData, number_of_frames=1)
    for share in (0.3, 0.6, 0.9):
        ds.PixelData = encapsulate([stream[: int(share * len(stream))]])
        ds.save_as(path)
        with pytest.raises(SetAsideError) as caught:
            read(path)
        assert caught.value.reason is Reason.BROKEN
