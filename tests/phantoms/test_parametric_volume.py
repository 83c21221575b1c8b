"""Parametric volumes: anatomy, tissue contrast and orientation in three dimensions."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.errors import ConfigurationError
from fedscan.model.conditions import LABEL
from fedscan.phantoms.parametric import ParametricVolume, parametric_volume
from hypothesis import given, settings
from hypothesis import strategies as st


def volume(part: str, finding: str, seed: int = 0, size: int = 40) -> ParametricVolume:
    return parametric_volume(np.random.default_rng(seed), part, (size, size, size), finding=finding)


def centre_of(labels: np.ndarray, name: str) -> np.ndarray:
    return np.argwhere(labels == LABEL[name]).mean(axis=0)


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    part=st.sampled_from(["head", "chest", "abdomen"]),
    shape=st.tuples(*(st.integers(8, 24) for _ in range(3))),
)
def test_volumes_are_repeatable_and_finite(
    seed: int, part: str, shape: tuple[int, int, int]
) -> None:
    first, again = (parametric_volume(np.random.default_rng(seed), part, shape) for _ in range(2))
    np.testing.assert_array_equal(first.labels, again.labels)
    for name in ("ct", "t1", "t2"):
        array = getattr(first, name)
        np.testing.assert_array_equal(array, getattr(again, name))
        assert array.shape == shape
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    assert first.ct.min() >= -1000
    assert first.voxel > 0


def test_lesions_are_bright_on_t2() -> None:
    for seed in range(6):
        head = volume("head", "lesion", seed, 48)
        lesion, brain = head.labels == LABEL["lesion"], head.labels == LABEL["brain"]
        assert lesion.any()
        assert head.t2[lesion].mean() > head.t2[brain].mean() + 0.1
        assert abs(np.median(head.ct[lesion]) - np.median(head.ct[brain])) > 3
        assert not (volume("head", "no finding", seed).labels == LABEL["lesion"]).any()


def test_contrasts_of_the_brain_are_opposite() -> None:
    head = volume("head", "no finding")
    brain, fluid = head.labels == LABEL["brain"], head.labels == LABEL["fluid"]
    assert head.t1[brain].mean() > head.t1[fluid].mean() + 0.2
    assert head.t2[brain].mean() < head.t2[fluid].mean() - 0.2
    assert head.ct[head.labels == LABEL["bone"]].mean() > head.ct[brain].mean() + 200


def test_axes_run_up_back_and_left() -> None:
    chest = volume("chest", "no finding")
    lung, heart = (centre_of(chest.labels, name) for name in ("lung", "heart"))
    assert heart[2] > lung[2]  # the heart is on the left
    assert heart[1] < lung[1] + 2  # and rather in front
    spine = chest.labels[:, :, 18:22] == LABEL["bone"]
    assert np.argwhere(spine).mean(axis=0)[1] > 20  # bone of the midline is behind
    abdomen = volume("abdomen", "no finding")
    bone = centre_of(abdomen.labels, "bone")
    organs = centre_of(abdomen.labels, "organ")
    assert organs[2] < 20  # most of the liver is on the right
    assert bone[1] > organs[1]
    head = volume("head", "no finding")
    assert centre_of(head.labels, "brain")[0] > 20  # the brain is above the face


def test_ventricles_grow_with_age() -> None:
    years, shares = [], []
    for seed in range(24):
        head = volume("head", "no finding", seed, 32)
        middle = head.labels[14:22, 8:24, 11:21]  # around the lateral ventricles
        years.append(head.years)
        shares.append((middle == LABEL["fluid"]).mean())
    assert np.corrcoef(years, shares)[0, 1] > 0.4


def test_an_effusion_or_consolidation_takes_lung() -> None:
    for finding in ("pneumonia", "COVID-19"):
        labels = volume("chest", finding, 3).labels
        lesion = labels == LABEL["lesion"]
        assert lesion.sum() > 20
        assert lesion.sum() < (labels == LABEL["lung"]).sum() * 3


def test_a_finding_of_another_part_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="pneumonia"):
        volume("head", "pneumonia")
