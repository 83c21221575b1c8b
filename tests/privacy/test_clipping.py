"""The clipped sum: its sensitivity holds exactly, not only up to rounding."""

import math

import numpy as np
import pytest
import torch
from fedscan.errors import PrivacyError
from fedscan.privacy.clipping import ClippedSum, flatten
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

values = st.floats(-(2.0**100), 2.0**100, width=32) | st.floats(-4, 4, width=32)
vectors = arrays(np.float32, 5, elements=values)
clip_norms = st.floats(1e-3, 1e3)


def clipped_sum(patients: list[np.ndarray], clip_norm: float) -> torch.Tensor:
    total = ClippedSum(len(patients[0]) if patients else 5, clip_norm)
    for vector in patients:
        total.add(torch.tensor(vector))
    return total.total()


def exact_norm(vector: torch.Tensor) -> float:
    return math.sqrt(math.fsum(value * value for value in vector.tolist()))


@given(others=st.lists(vectors, max_size=6), one=vectors, clip_norm=clip_norms)
def test_one_patient_moves_the_sum_by_at_most_the_clip_norm(
    others: list[np.ndarray], one: np.ndarray, clip_norm: float
) -> None:
    moved = clipped_sum([*others, one], clip_norm) - clipped_sum(others, clip_norm)
    assert torch.equal(moved, clipped_sum([one], clip_norm))
    assert exact_norm(moved) <= clip_norm


@given(patients=st.lists(vectors, min_size=2, max_size=6), data=st.data(), clip_norm=clip_norms)
def test_the_order_of_patients_does_not_change_a_bit(
    patients: list[np.ndarray], data: st.DataObject, clip_norm: float
) -> None:
    shuffled = data.draw(st.permutations(patients))
    assert torch.equal(clipped_sum(patients, clip_norm), clipped_sum(shuffled, clip_norm))


@given(vector=vectors, clip_norm=clip_norms)
def test_it_clips_as_the_textbook_says_up_to_the_grid(vector: np.ndarray, clip_norm: float) -> None:
    exact = vector.astype(np.float64)
    norm = np.linalg.norm(exact)
    expected = exact * min(1.0, clip_norm / norm) if norm else exact
    found = clipped_sum([vector], clip_norm).numpy()
    assert np.abs(found - expected).max() <= 2e-6 * clip_norm
    assert np.all(found * expected >= 0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_counts_as_zero(bad: float) -> None:
    one = np.array([0.3, 0.4, 0.0], np.float32)
    assert torch.equal(
        clipped_sum([one, np.array([1.0, bad, 0.0], np.float32)], 1.0), clipped_sum([one], 1.0)
    )


@pytest.mark.parametrize("clip_norm", [0.0, -1.0, math.inf, math.nan])
def test_refuses_a_clip_norm_that_does_not_clip(clip_norm: float) -> None:
    with pytest.raises(PrivacyError, match="clip_norm"):
        ClippedSum(3, clip_norm)


def test_unused_parameters_have_zero_gradients() -> None:
    like = [torch.ones(2, 2), torch.ones(3)]
    out = torch.full((7,), math.nan)
    assert flatten([None, torch.arange(3.0)], out, like).tolist() == [0, 0, 0, 0, 0, 1, 2]
