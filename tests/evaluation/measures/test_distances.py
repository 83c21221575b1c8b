import numpy as np
import pytest
import torch
from fedscan.errors import DataError
from fedscan.evaluation.measures.distances import frechet_distance, kernel_distance
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm


def gaussian(seed, count, dimension, shift=0.0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimension, dimension, generator=torch.Generator().manual_seed(99))
    sample = torch.randn(count, dimension, generator=generator)
    return sample @ mixing * scale + shift


@given(seed=st.integers(0, 1000), shift=st.floats(-2, 2), scale=st.floats(0.2, 3))
@settings(max_examples=15, deadline=None)
def test_frechet_is_the_closed_form_of_the_fitted_gaussians(seed, shift, scale):
    a, b = gaussian(seed, 60, 5), gaussian(seed + 1, 40, 5, shift, scale)
    x, y = a.double().numpy(), b.double().numpy()
    first, second = np.cov(x.T), np.cov(y.T)
    root = np.real(sqrtm(first @ second))
    mean = np.sum((x.mean(0) - y.mean(0)) ** 2)
    wanted = mean + np.trace(first) + np.trace(second) - 2 * np.trace(root)
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-6, abs=1e-6)
    assert frechet_distance(b, a) == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_frechet_with_fewer_images_than_features_agrees_with_the_low_rank_form():
    a, b = gaussian(0, 20, 64).double(), gaussian(1, 24, 64, 0.3).double()
    left, right = (a - a.mean(0)) / 19**0.5, (b - b.mean(0)) / 23**0.5
    spread = left.square().sum() + right.square().sum()
    overlap = torch.linalg.svdvals(left @ right.T).sum()
    wanted = float((a.mean(0) - b.mean(0)).square().sum() + spread - 2 * overlap)
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-5)


def test_frechet_of_a_set_with_itself_is_zero():
    a = gaussian(0, 50, 16)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-4)


def test_kernel_distance_is_unbiased_and_sees_a_shift():
    same = [
        kernel_distance(gaussian(s, 80, 6), gaussian(s + 100, 80, 6), seed=s) for s in range(12)
    ]
    far, _ = kernel_distance(gaussian(0, 80, 6), gaussian(1, 80, 6, shift=2.0), seed=0)
    values = np.array([mean for mean, _ in same])
    assert abs(values.mean()) < 3 * values.std() / len(values) ** 0.5
    assert far > 10 * values.std()


def test_kernel_distance_is_the_definition():
    a, b = gaussian(0, 7, 3).double(), gaussian(1, 7, 3, 0.5).double()
    kernel = lambda x, y: (float(x @ y) / 3 + 1) ** 3  # noqa: E731
    within = [
        np.mean([kernel(x, y) for i, x in enumerate(s) for j, y in enumerate(s) if i != j])
        for s in (a, b)
    ]
    between = np.mean([kernel(x, y) for x in a for y in b])
    mean, deviation = kernel_distance(a, b, seed=3, subsets=2)
    assert mean == pytest.approx(sum(within) - 2 * between, rel=1e-6)
    assert deviation == pytest.approx(0, abs=1e-9)


def test_kernel_distance_depends_on_its_seed_alone():
    a, b = gaussian(0, 300, 4), gaussian(1, 300, 4)
    before = torch.random.get_rng_state()
    first = kernel_distance(a, b, seed=5)
    torch.rand(3)
    assert kernel_distance(a, b, seed=5) == first
    torch.random.set_rng_state(before)
    kernel_distance(a, b, seed=6)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_one_image_is_too_few():
    with pytest.raises(DataError, match="two images"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3))
    with pytest.raises(DataError, match="two images"):
        kernel_distance(torch.zeros(5, 3), torch.zeros(1, 3), seed=0)
