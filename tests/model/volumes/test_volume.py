"""Volumes: drawn in three planes, in step with their neighbours and with slices that are given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fedscan.model.description import Description
from fedscan.model.generator import build_generator
from fedscan.model.intensity import hounsfield_to_model
from fedscan.model.region import EXTENT_MM, FIELD_OF_VIEW_MM
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import load_generator, shipped_base
from fedscan.model.volumes.cube import Cube, draw_cube, from_plane, to_plane
from fedscan.model.volumes.detail import coarse_kept, outline_kept, restore_detail
from fedscan.model.volumes.draw import VolumeSettings, sample_volume
from fedscan.model.volumes.interpolate import interpolate_slices
from fedscan.model.volumes.slice_noise import correlated_noise, spread
from fedscan.phantoms.parametric import parametric_volume
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter
from torch.nn.functional import pixel_shuffle

CT = Description(modality="CT", body_part="head", plane="axial", finding="no finding")
T2 = Description(modality="T2-weighted MR", body_part="head", plane="axial")
PLANES = ("axial", "coronal", "sagittal")


@pytest.fixture(scope="module")
def tiny():
    return build_generator(GeneratorSettings(size="tiny"), seed=0)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(length=st.floats(0.06, 2.0), seed=st.integers(0, 2**31))
def test_every_slice_starts_from_white_noise_whose_finest_part_is_correlated_by_distance(
    length, seed
):
    where = np.linspace(0, 1, 9)
    noise = correlated_noise(where, (16, 20, 20), length=length, seed=seed, packing=2)
    assert noise.shape == (9, 16, 20, 20)
    spectrum = dctn(pixel_shuffle(noise, 2).double().numpy(), axes=(2, 3), norm="ortho")
    # White: as much of each frequency in every slice.
    power = np.square(spectrum).mean((0, 1))
    assert power[:20, :20].mean() == pytest.approx(1.0, abs=0.15)
    assert power[20:, 20:].mean() == pytest.approx(1.0, abs=0.15)
    finest = spectrum[:, :, 20:, 20:].reshape(9, -1)
    found = finest @ finest.T / finest.shape[1]
    wanted = np.exp(-((where[:, None] - where) ** 2) / (2 * length**2))
    assert found == pytest.approx(wanted, abs=0.2)


def test_coarse_noise_reaches_further_along_the_slices_than_fine_noise():
    noise = correlated_noise([0.4, 0.5], (4, 32, 32), length=0.02, seed=3)
    one, other = dctn(noise.double().numpy(), axes=(2, 3), norm="ortho")

    def likeness(part):
        return float(np.corrcoef(one[:, part, part].ravel(), other[:, part, part].ravel())[0, 1])

    assert likeness(slice(0, 3)) > 0.8
    assert abs(likeness(slice(16, 32))) < 0.1


def test_what_is_known_is_met_and_fades_with_distance():
    known = torch.randn(2, 5, 5)
    carried = spread(known, [0.2, 0.8], [0.2, 0.21, 0.5, 0.8], 0.05)
    assert carried[0] == pytest.approx(known[0], abs=1e-3)
    assert carried[3] == pytest.approx(known[1], abs=1e-3)
    assert carried[1] == pytest.approx(known[0], rel=0.05)
    assert carried[2].abs().max() < 1e-5


def test_a_cube_is_cut_as_it_is_read():
    values = torch.zeros(8, 8, 8)
    values[6, 1, 5] = 1.0  # high, in front, left
    for plane, (index, row, column) in {
        "axial": (6, 1, 5),
        "coronal": (6, 1, 5),  # position to the front; the top is the first row
        "sagittal": (5, 1, 1),  # position to the left
    }.items():
        slices = to_plane(values, plane)
        assert slices[index, row, column] == 1.0
        assert torch.equal(from_plane(slices, plane), values)


def test_slices_are_cut_at_any_position():
    size = 32
    height = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    cube = Cube(values=height[:, None, None].expand(size, size, size), body_part="head")
    voxel = FIELD_OF_VIEW_MM["head"] / size
    at = [0.2, 0.5, 0.53]
    found = cube.slices("axial", at)[:, 0, 0] * voxel
    assert found.tolist() == pytest.approx([(p - 0.5) * EXTENT_MM["head"][0] for p in at], abs=1e-3)


def test_three_planes_make_one_body_with_smooth_cuts_in_every_plane():
    base = load_generator(shipped_base())
    drawn = draw_cube(
        base, CT, steps=1, guidance_scale=1.0, correlation=0.06, seed=0, batch_size=64
    )
    cube = drawn.values.numpy()
    bends = [np.abs(np.diff(cube, 2, axis=axis)).mean() for axis in range(3)]
    assert max(bends) < 1.5 * min(bends)
    brain, air = cube[36:40, 28:36, 28:36].mean(), cube[:, :3, :3].mean()
    assert brain > air + 0.3


def test_a_volume_depends_on_seed_and_description_but_not_on_the_batches(tiny):
    where = [0.5, 0.52]
    one = sample_volume(tiny, CT, where, VolumeSettings(steps=2))
    same = sample_volume(tiny, CT, where, VolumeSettings(steps=2, batch_size=7))
    assert one.shape == (2, 32, 32)
    assert np.abs(one - same).max() < 1e-3
    for other in (
        sample_volume(tiny, CT, where, VolumeSettings(steps=2, seed=1)),
        sample_volume(tiny, T2, where, VolumeSettings(steps=2)),
    ):
        assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("plane", PLANES)
def test_a_volume_is_completed_around_given_slices(tiny, plane):
    shown = Description(modality="CT", body_part="head", plane=plane)
    patient = np.tile(np.linspace(-1, 1, 32, dtype=np.float32), (32, 1))
    where = [0.3, 0.49, 0.5, 0.51, 0.7]
    volume = sample_volume(tiny, shown, where, VolumeSettings(steps=2), given_slices={0.5: patient})
    assert np.array_equal(volume[2], patient)
    near, far = np.abs(volume - patient).mean((1, 2))[[[1, 3], [0, 4]]].mean(1)
    assert near < 0.7 * far


def disc(row: float) -> np.ndarray:
    rows, columns = np.indices((32, 32))
    return np.clip(6 - np.hypot(rows - row, columns - 16), -1, 1).astype(np.float32)


def test_slices_between_given_ones_follow_what_moves():
    found = interpolate_slices(np.stack([disc(12), disc(16)]), [0.2, 0.6], [0.1, 0.2, 0.4, 0.7])
    assert np.array_equal(found[0], disc(12))
    assert np.array_equal(found[1], disc(12))
    assert np.array_equal(found[3], disc(16))
    shown_twice = (disc(12) + disc(16)) / 2
    off, off_linear = (np.square(each - disc(14)).mean() for each in (found[2], shown_twice))
    assert off < 0.5 * off_linear
    assert np.array_equal(interpolate_slices(disc(12)[None], [0.5], [0.1, 0.5])[0], disc(12))


def test_the_nearer_given_slices_are_the_more_is_interpolated(tiny):
    low, high = disc(12), disc(16)
    shown = Description(modality="CT", body_part="head", plane="axial")

    def off(reach: float) -> float:
        given_at = {0.5 - reach: low, 0.5 + reach: high}
        where = sorted([*given_at, 0.5])
        volume = sample_volume(tiny, shown, where, VolumeSettings(steps=2), given_slices=given_at)
        between = interpolate_slices(np.stack([low, high]), [where[0], where[2]], [0.5])
        return float(np.abs(volume[1] - between[0]).mean())

    assert off(0.03) < 0.2 * off(0.4)


def test_blurred_slices_get_the_detail_of_sharp_ones_of_other_patients():
    def slices(seed):
        rng = np.random.default_rng(seed)
        head = parametric_volume(rng, "head", (64, 64, 64), finding="no finding")
        return hounsfield_to_model(head.ct[20:44]).astype(np.float32)

    own, other = slices(3), slices(4)
    blurred = gaussian_filter(own, (0, 0.8, 0.8))
    restored = restore_detail(blurred, other)
    assert np.square(restored - own).mean() < 0.7 * np.square(blurred - own).mean()
    # What is as sharp as the others already is left alone.
    assert np.abs(restore_detail(own, own) - own).max() < 1e-4
    # Neighbours that were the same stay the same.
    same = np.repeat(blurred[:1], 5, axis=0)
    assert np.abs(np.diff(restore_detail(same, other), axis=0)).max() < 1e-6


def test_an_outline_is_one_volume_s_and_the_inside_another_s():
    side, middle = 64, 31.5
    across = np.hypot(*np.meshgrid(np.arange(side) - middle, np.arange(side) - middle))
    disc = np.where(across < 24, 0.0, -1.0)
    # The volume whose slices were drawn alone ends elsewhere in every slice.
    radii = np.random.default_rng(0).integers(20, 28, 12)
    ragged = np.stack([np.where(across < radius, 0.5, -1.0) for radius in radii]).astype(np.float32)
    agreed = np.repeat(disc[None].astype(np.float32), 12, axis=0)
    joined = outline_kept(agreed, ragged, pixel_mm=3.5, slice_mm=3.0)
    assert joined.shape == agreed.shape
    assert np.abs(joined[:, across < 14] - 0.5).max() < 0.01  # to the last slice at either end
    assert np.abs(joined[:, across > 23] - agreed[:, across > 23]).max() < 0.01
    # Half as fine pixels, the same millimetres.
    coarse = outline_kept(agreed[:, ::2, ::2], ragged[:, ::2, ::2], pixel_mm=7.0, slice_mm=3.0)
    assert np.abs(coarse - joined[:, ::2, ::2]).mean() < 0.05


@settings(max_examples=20, deadline=None, derandomize=True)
@given(half_waves=st.integers(1, 63), pixel_mm=st.sampled_from([1.75, 3.5, 7.0]))
def test_coarse_waves_are_one_volume_s_and_fine_waves_another_s(half_waves, pixel_mm):
    line = np.cos(np.pi * half_waves * (np.arange(64) + 0.5) / 64).astype(np.float32)
    wave = np.tile(line, (2, 64, 1))
    joined = coarse_kept(wave, -wave, pixel_mm=pixel_mm)
    length_mm = 2 * 64 * pixel_mm / half_waves
    agreed = np.exp(-2 * np.square(np.pi * 10.5 / length_mm))  # the Gaussian's response
    assert joined == pytest.approx((2 * agreed - 1) * wave, abs=0.05)
