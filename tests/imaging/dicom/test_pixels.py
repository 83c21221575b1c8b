"""Stored values become HU or upright-brightness grey levels, whatever their encoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from fedscan.imaging.dicom.pixels import read_frames
from fedscan.imaging.dicom.set_aside import Reason, SetAsideError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000Lossless, RLELossless

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"


def read(path: Path, values: str = "physical") -> np.ndarray:
    (image,) = read_frames(path, [0], values)
    return image


def test_hounsfield_units_are_exact():
    ds = dcmread(BUNDLED / "CT_small.dcm")
    expected = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    image = read(BUNDLED / "CT_small.dcm", "displayed")
    np.testing.assert_array_equal(image, np.clip(expected, -1024, 3071))


@pytest.mark.parametrize(
    "name",
    ["RLE", "bigendian", "expb", "implicit", "jp2klossless", "jpeg_ls_lossless", "padded"],
)
def test_lossless_encodings_agree(name):
    expected = read(BUNDLED / "MR_small.dcm")
    np.testing.assert_array_equal(read(BUNDLED / f"MR_small_{name}.dcm"), expected)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    allocated=st.sampled_from([8, 16, 32]),
    stored=st.integers(1, 32),
    signed=st.booleans(),
    slope=st.sampled_from([1.0, 0.5, 2.0, -1.0]),
    intercept=st.sampled_from([0.0, -1024.0, 10.5]),
    data=st.data(),
)
def test_every_bit_depth_is_rescaled(
    tmp_path, write_image, allocated, stored, signed, slope, intercept, data
):
    stored = min(stored, allocated)
    if signed and stored < 2:
        stored = 2
    low, high = (-(2 ** (stored - 1)), 2 ** (stored - 1) - 1) if signed else (0, 2**stored - 1)
    values = data.draw(st.lists(st.integers(low, high), min_size=64, max_size=64))
    dtype = np.dtype(f"{'i' if signed else 'u'}{allocated // 8}")
    pixels = np.array(values, dtype).reshape(8, 8)
    path = write_image(
        tmp_path / "a",
        pixels,
        Modality="MR",
        BitsStored=stored,
        HighBit=stored - 1,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
    )
    expected = (pixels.astype(np.float64) * slope + intercept).astype(np.float32)
    np.testing.assert_array_equal(read(path), expected)


def test_single_bit_pixels(tmp_path, make_image, save_dicom):
    bits = np.random.default_rng(0).integers(0, 2, (8, 8)).astype(np.uint8)
    ds = make_image(bits, Modality="MR", BitsAllocated=1, BitsStored=1, HighBit=0)
    ds.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()
    np.testing.assert_array_equal(read(save_dicom(ds, tmp_path / "a")), bits)


def test_monochrome1_is_inverted_except_for_ct(tmp_path, write_image):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for modality, sign in (("DX", -1), ("CT", 1)):
        fields = {"Modality": modality, "PhotometricInterpretation": "MONOCHROME1"}
        path = write_image(tmp_path / modality, pixels, **fields)
        np.testing.assert_array_equal(read(path), sign * pixels.astype(np.float32))


def test_a_window_clips_and_is_optional(tmp_path, write_image):
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8) * 10
    path = write_image(tmp_path / "a", pixels, Modality="DX", WindowCenter=300, WindowWidth=100)
    shown = read(path, "displayed")
    assert len(np.unique(shown[pixels < 250])) == 1
    assert len(np.unique(shown[pixels > 350])) == 1
    inside = shown[(pixels > 250) & (pixels < 350)]
    assert (np.diff(inside) > 0).all()
    np.testing.assert_array_equal(read(path), pixels)


def test_a_malformed_window_does_not_lose_the_image(tmp_path, write_image):
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    path = write_image(tmp_path / "a", pixels, Modality="DX", WindowCenter=3, WindowWidth=0)
    np.testing.assert_array_equal(read(path, "displayed"), pixels)


def lut(entries: list[int]) -> Sequence:
    item = Dataset()
    item.add_new(0x00283002, "US", [len(entries), 0, 16])
    item.add_new(0x00283006, "US", entries)
    return Sequence([item])


def test_lookup_tables_apply(tmp_path, write_image):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    table = [1000 + 3 * value for value in range(64)]
    for keyword in ("VOILUTSequence", "ModalityLUTSequence"):
        path = write_image(tmp_path / keyword, pixels, Modality="DX", **{keyword: lut(table)})
        np.testing.assert_array_equal(read(path, "displayed"), np.array(table).reshape(8, 8))


def test_padding_outside_the_field_of_view_is_background(tmp_path, write_image):
    pixels = np.arange(100, 164, dtype=np.int16).reshape(8, 8)
    pixels[0] = -2000
    fields = {"PixelPaddingValue": -2000, "RescaleIntercept": 5, "RescaleSlope": 1}
    assert (read(write_image(tmp_path / "ct", pixels, **fields))[0] == -1024).all()
    xray = read(
        write_image(
            tmp_path / "dx",
            pixels,
            Modality="DX",
            PhotometricInterpretation="MONOCHROME1",
            PixelPaddingValue=-2000,
        )
    )
    assert (xray[0] == xray[1:].min()).all(), "padding is dark even where low values are bright"


@pytest.mark.parametrize(
    ("dtype", "bits", "padding", "limit"),
    [
        (np.uint16, 16, -2000, None),
        (np.int16, 16, 63536, None),
        (np.int16, 16, 32768, None),
        (np.uint16, 16, -2000, -1990),
        (np.uint16, 12, 63536, None),  # told by bits that no value uses
        (np.uint16, 12, -2000, None),
        (np.int16, 12, 63536, None),
        (np.uint8, 8, -1, None),
    ],
)
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_padding_may_be_told_with_or_without_a_sign(
    tmp_path, make_image, save_dicom, dtype, bits, padding, limit, modality
):
    pixels = np.arange(100, 164).reshape(8, 8).astype(dtype)
    pixels[0] = np.array(padding).astype(dtype)
    ds = make_image(pixels, Modality=modality, BitsStored=bits, HighBit=bits - 1)
    ds.add_new("PixelPaddingValue", "SS" if padding < 0 else "US", padding)
    if limit is not None:
        ds.add_new("PixelPaddingRangeLimit", "SS", limit)
    image = read(save_dicom(ds, tmp_path / "a"))
    np.testing.assert_array_equal(image[1:], pixels[1:])
    assert (image[0] == (-1024 if modality == "CT" else 108)).all()


def test_a_padding_range_may_span_zero(tmp_path, make_image, save_dicom):
    pixels = np.arange(100, 164, dtype=np.uint16).reshape(8, 8)
    pixels[0], pixels[1] = 65536 - 20, 3
    ds = make_image(pixels, Modality="MR")
    ds.add_new("PixelPaddingValue", "SS", -20)
    ds.add_new("PixelPaddingRangeLimit", "SS", 5)
    image = read(save_dicom(ds, tmp_path / "a"))
    assert (image[:2] == 116).all()
    np.testing.assert_array_equal(image[2:], pixels[2:])


@pytest.mark.parametrize("syntax", [None, RLELossless])
def test_only_the_wanted_frames_of_many_are_read(tmp_path, make_image, save_dicom, syntax):
    pixels = np.random.default_rng(0).integers(0, 255, (5, 8, 8)).astype(np.uint8)
    path = save_dicom(make_image(pixels, Modality="XA"), tmp_path / "a")
    if syntax is not None:
        ds = dcmread(path)
        ds.compress(syntax)
        ds.save_as(path)
    np.testing.assert_array_equal(list(read_frames(path, [1, 3], "physical")), pixels[[1, 3]])


def test_colour_becomes_luminance():
    image = read(BUNDLED / "examples_rgb_color.dcm")
    colours = dcmread(BUNDLED / "examples_rgb_color.dcm").pixel_array
    np.testing.assert_allclose(image, colours @ [0.299, 0.587, 0.114], rtol=1e-5)
    assert read(BUNDLED / "examples_palette.dcm").shape == (350, 800)


def test_damaged_streams_are_counted_not_raised(tmp_path):
    ds = dcmread(BUNDLED / "MR_small.dcm")
    ds.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
    whole = tmp_path / "whole"
    ds.save_as(whole)
    np.testing.assert_array_equal(read(whole), read(BUNDLED / "MR_small.dcm"))
    content = whole.read_bytes()
    (tmp_path / "cut").write_bytes(content[: len(content) - 3000])
    with pytest.raises(SetAsideError) as caught:
        read(tmp_path / "cut")
    assert caught.value.reason is Reason.BROKEN
    assert str(caught.value) == Reason.BROKEN.value
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__, "the codec's text may quote the header"


def test_every_bundled_file_decodes_or_is_refused():
    decoded, refused = 0, 0
    for path in sorted(BUNDLED.rglob("*")):
        try:
            header = dcmread(path, stop_before_pixels=False, specific_tags=["Rows", "PixelData"])
        except Exception:  # not DICOM: the index deals with it
            continue
        if "PixelData" not in header:
            continue
        try:
            image = read(path)
        except SetAsideError:
            refused += 1
        else:
            decoded += 1
            assert image.ndim == 2
            assert np.isfinite(image).all()
    assert decoded + refused >= 90
    assert decoded >= 80
