"""Volumes: slices that agree with their neighbours and with slices that are given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fedscan.model.inversion import invert
from fedscan.model.sampling import sample
from fedscan.model.slice_noise import correlated_noise
from fedscan.model.storage import load_generator, shipped_base
from fedscan.model.volume import VolumeSettings, sample_volume
from hypothesis import given, settings
from hypothesis import strategies as st

CAPTION = "axial CT slice of the head, no finding"


@pytest.fixture(scope="module")
def base():
    return load_generator(shipped_base())


@settings(max_examples=15, deadline=None)
@given(length=st.floats(0.05, 2.0), seed=st.integers(0, 2**31))
def test_every_slice_starts_from_standard_normal_noise_correlated_by_distance(length, seed):
    where = np.linspace(0, 1, 9)
    noise = correlated_noise(where, (4, 40, 40), length=length, seed=seed).flatten(1).double()
    found = (noise @ noise.T / noise.shape[1]).numpy()
    wanted = np.exp(-((where[:, None] - where) ** 2) / (2 * length**2))
    assert found == pytest.approx(wanted, abs=0.08)


def test_given_noise_is_met_and_fades_with_distance():
    known = torch.randn(2, 4, 20, 20)
    where = [0.2, 0.21, 0.5, 0.8]
    noise = correlated_noise(where, (4, 20, 20), length=0.05, seed=1, given=([0.2, 0.8], known))
    assert noise[0] == pytest.approx(known[0], abs=0.05)
    assert noise[3] == pytest.approx(known[1], abs=0.05)

    def likeness(slice_, other):
        return float(np.corrcoef(slice_.flatten(), other.flatten())[0, 1])

    assert likeness(noise[1], known[0]) > 0.95
    assert abs(likeness(noise[2], known[0])) < 0.15
    assert noise[2].std() == pytest.approx(1.0, abs=0.1)


def neighbour_difference(volume):
    return float(np.abs(np.diff(volume, axis=0)).mean())


def test_neighbours_agree_more_than_with_independent_noise(base):
    where = list(np.linspace(0.45, 0.6, 6))
    together = sample_volume(base, CAPTION, where, VolumeSettings(steps=6))
    apart = sample(base, [CAPTION] * 6, positions=where, guidance_scale=1.5, steps=6)
    assert neighbour_difference(together) < 0.5 * neighbour_difference(apart)
    # They agree, and yet they are not one slice six times.
    assert np.abs(together[0] - together[-1]).mean() > np.abs(together[0] - together[1]).mean()


def test_a_volume_depends_on_seed_and_caption(base):
    where = [0.5, 0.52]
    one = sample_volume(base, CAPTION, where, VolumeSettings(steps=4))
    same = sample_volume(base, CAPTION, where, VolumeSettings(steps=4, batch_size=1))
    assert np.abs(one - same).max() < 1e-3
    for other in (
        sample_volume(base, CAPTION, where, VolumeSettings(steps=4, seed=1)),
        sample_volume(
            base, "axial T2-weighted MR slice of the head", where, VolumeSettings(steps=4)
        ),
    ):
        assert np.abs(one - other).mean() > 0.02


def test_noise_found_by_inversion_gives_the_image_again(base):
    image = sample(base, [CAPTION], positions=[0.5], guidance_scale=1.0, steps=20)
    noise = invert(base, torch.from_numpy(image)[:, None], [CAPTION], [0.5])
    again = sample(base, [CAPTION], positions=[0.5], guidance_scale=1.0, steps=20, noise=noise)
    assert noise.std() == pytest.approx(1.0, abs=0.25)
    assert np.abs(again - image).mean() < 0.5 * np.abs(image - image.mean()).mean()


def test_a_volume_is_completed_around_given_slices(base):
    patient = sample(base, [CAPTION], positions=[0.5], guidance_scale=1.0, steps=12, seed=9)[0]
    where = [0.3, 0.48, 0.5, 0.52, 0.7]
    volume = sample_volume(
        base, CAPTION, where, VolumeSettings(steps=12, correlation=0.1), given={0.5: patient}
    )
    assert np.array_equal(volume[2], patient)
    away = np.abs(volume - patient).mean((1, 2))
    assert max(away[1], away[3]) < 0.7 * min(away[0], away[4])
