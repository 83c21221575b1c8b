"""A site's part of a joint sum: exact sensitivity, exact sums, and the noise that was planned."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from fedscan.errors import PrivacyError
from fedscan.privacy.clipping import ClippedSum
from fedscan.privacy.joint.grid import SumGrid
from fedscan.privacy.joint.ring import from_ring, to_ring
from fedscan.privacy.joint.sums import private_count_sum, private_sum, private_vector_sum
from fedscan.privacy.stream import SecretStream
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from torch import Tensor, nn

values = st.floats(-(2.0**100), 2.0**100, width=32) | st.floats(-4, 4, width=32)
vectors = arrays(np.float32, 5, elements=values)
grids = st.builds(SumGrid, st.floats(1e-3, 1e3), st.integers(8, 20))


def stream(number: int = 0) -> SecretStream:
    return SecretStream(number.to_bytes(32, "big"), "step")


class LinearLoss:
    """A patient's gradient is the same vector in every draw, one for each patient."""

    def __init__(self, weight: nn.Parameter, gradients: Tensor) -> None:
        self.weight, self.gradients = weight, gradients

    def __call__(self, patient: int, stream: SecretStream) -> Tensor:
        return (self.weight * self.gradients[patient]).sum()


def gradient_sum(gradients: Tensor, number: int = 0, **changes: object) -> np.ndarray:
    weight = nn.Parameter(torch.zeros(gradients.shape[1]))
    settings = {
        "population": len(gradients),
        "sample_rate": 1.0,
        "share": 0.5,
        "grid": SumGrid(0.05),
        **changes,
    }
    loss = LinearLoss(weight, gradients)
    return private_sum({"weight": weight}, loss, stream=stream(number), **settings)


@given(numbers=arrays(np.int64, 7, elements=st.integers(-(2**31), 2**31 - 1)))
def test_the_ring_gives_back_what_fits_into_it(numbers: np.ndarray) -> None:
    assert to_ring(numbers).dtype == np.uint32
    assert np.array_equal(from_ring(to_ring(numbers)), numbers)


@given(numbers=arrays(np.int64, 7, elements=st.integers(-(2**62), 2**62)), wraps=st.integers(-9, 9))
def test_the_ring_forgets_multiples_of_its_size_only(numbers: np.ndarray, wraps: int) -> None:
    assert np.array_equal(to_ring(numbers), to_ring(numbers + (wraps << 32)))
    assert np.array_equal((from_ring(to_ring(numbers)) - numbers) % 2**32, np.zeros(7))


@given(grid=grids, others=st.lists(vectors, max_size=5), one=vectors)
def test_one_patient_moves_the_steps_by_exactly_one_clipped_vector(
    grid: SumGrid, others: list[np.ndarray], one: np.ndarray
) -> None:
    def steps(patients: list[np.ndarray]) -> np.ndarray:
        noisy = private_vector_sum(patients, size=5, share=0.5, grid=grid, stream=stream())
        return from_ring(noisy)

    moved = steps([*others, one]) - steps(others)
    # In Python's whole numbers: nothing here is rounded.
    assert sum(int(number) ** 2 for number in moved) <= 4**grid.bits
    exact = one.astype(np.float64)
    norm = math.hypot(*exact)
    expected = exact * min(1.0, grid.clip_norm / norm) / grid.step if norm else exact
    assert np.all(np.abs(moved) <= np.abs(expected) + 1e-3)
    assert np.abs(moved - expected).max() <= 1.01


@given(grid=grids, parts=st.lists(st.lists(vectors, max_size=4), min_size=1, max_size=4))
def test_sites_sums_add_up_exactly(grid: SumGrid, parts: list[list[np.ndarray]]) -> None:
    sites = [
        private_vector_sum(part, size=5, share=0.5, grid=grid, stream=stream(number))
        for number, part in enumerate(parts)
    ]
    noise = [
        private_vector_sum([], size=5, share=0.5, grid=grid, stream=stream(number))
        for number in range(len(parts))
    ]
    total = ClippedSum(5, grid.clip_norm, grid=grid.step)
    for part in parts:
        for vector in part:
            total.add(torch.tensor(vector))
    opened = from_ring(np.sum(sites, axis=0, dtype=np.uint32))
    opened -= from_ring(np.sum(noise, axis=0, dtype=np.uint32))
    assert np.array_equal(opened, np.rint(total.total().numpy() / grid.step))


def test_gradients_are_clipped_drawn_and_summed_as_statistics_are() -> None:
    gradients = torch.randn(6, 40, generator=torch.Generator().manual_seed(0)) * 0.01
    found = gradient_sum(gradients)
    grid = SumGrid(0.05)
    expected = private_vector_sum(
        list(gradients.numpy()), size=40, share=0.5, grid=grid, stream=stream().child("noise")
    )
    assert np.array_equal(found, expected)
    assert np.abs(grid.values(found) - gradients.sum(0).numpy()).max() < 0.05 * 0.5 * 6


def test_a_draw_of_nobody_looks_like_any_other() -> None:
    gradients = torch.full((50, 3000), 0.01)
    nobody = gradient_sum(gradients[:0])
    some = gradient_sum(gradients, sample_rate=0.1)
    assert nobody.shape == some.shape == (3000,)
    assert nobody.dtype == some.dtype == np.uint32
    assert np.std(from_ring(nobody)) == pytest.approx(0.5 * 2**16, rel=0.05)


def test_the_same_secret_gives_the_same_bytes_and_another_does_not() -> None:
    gradients = torch.full((5, 100), 0.01)
    assert gradient_sum(gradients).tobytes() == gradient_sum(gradients).tobytes()
    assert gradient_sum(gradients).tobytes() != gradient_sum(gradients, 1).tobytes()


def test_the_parameters_stay_as_they_are() -> None:
    weight = nn.Parameter(torch.ones(3))
    private_sum(
        {"weight": weight},
        LinearLoss(weight, torch.ones(2, 3)),
        population=2,
        sample_rate=1.0,
        share=0.5,
        grid=SumGrid(1.0),
        stream=stream(),
    )
    assert torch.equal(weight.detach(), torch.ones(3))
    assert weight.grad is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_patient_without_finite_gradient_counts_as_zero(bad: float) -> None:
    gradients = torch.full((3, 10), 0.001)
    wild = gradients.clone()
    wild[1] = bad
    gradients[1] = 0
    assert np.array_equal(gradient_sum(wild), gradient_sum(gradients))


def test_a_count_is_the_number_of_patients_with_noise() -> None:
    grid = SumGrid(1.0, 8)
    counts = [
        private_count_sum(240, share=3.0, grid=grid, stream=stream(number)) for number in range(400)
    ]
    numbers = np.concatenate([grid.values(count) for count in counts])
    assert numbers.mean() == pytest.approx(240, abs=0.6)
    assert numbers.std() == pytest.approx(3.0, rel=0.12)


@pytest.mark.parametrize("share", [0.0, -1.0, math.nan, math.inf, 1e-9])
def test_a_share_that_hides_nothing_is_refused(share: float) -> None:
    with pytest.raises(PrivacyError, match="share of the noise"):
        private_vector_sum([], size=3, share=share, grid=SumGrid(1.0), stream=stream())
    with pytest.raises(PrivacyError, match="share of the noise"):
        private_count_sum(3, share=share, grid=SumGrid(1.0), stream=stream())


@pytest.mark.parametrize(("clip_norm", "bits"), [(0.0, 16), (math.inf, 16), (1.0, 3), (1.0, 25)])
def test_a_grid_out_of_range_is_refused(clip_norm: float, bits: int) -> None:
    with pytest.raises(PrivacyError):
        SumGrid(clip_norm, bits)


def test_a_vector_of_another_length_and_a_negative_count_are_refused() -> None:
    with pytest.raises(PrivacyError, match="shape"):
        private_vector_sum([np.ones(4)], size=3, share=1.0, grid=SumGrid(1.0), stream=stream())
    with pytest.raises(PrivacyError, match="number of patients"):
        private_count_sum(-1, share=1.0, grid=SumGrid(1.0), stream=stream())


# What the accounting rests on: rounded shares add up to a rounded Gaussian.


def share_chances(deviation: float, reach: int) -> np.ndarray:
    """Chance that a rounded normal number is each whole one from -reach to reach."""
    places = np.abs(np.arange(-reach, reach + 1))
    chances = stats.norm.sf((places - 0.5) / deviation) - stats.norm.sf((places + 0.5) / deviation)
    chances[reach] = 1 - 2 * stats.norm.sf(0.5 / deviation)
    return chances


@pytest.mark.parametrize("shares", [2, 3, 4, 5])
@pytest.mark.parametrize("deviation", [0.7, 1.0, 1.5, 3.0])
def test_the_sum_of_rounded_shares_has_the_lemmas_distribution(
    shares: int, deviation: float
) -> None:
    one = total = share_chances(deviation, int(12 * deviation * shares))
    for _ in range(shares - 1):
        total = np.convolve(total, one)
    # The lemma's: round(N + U_1 + … + U_(k-1)). Its chances are the density of N and k uniform
    # numbers at the whole ones, here by integrating their characteristic function.
    spread = deviation * math.sqrt(shares)
    places = np.arange(0, int(4 * spread) + 1)
    frequencies, step = np.linspace(0, 12 / spread + 12, 20_001, retstep=True)
    characteristic = np.exp(-((spread * frequencies) ** 2) / 2)
    characteristic *= np.sinc(frequencies / (2 * np.pi)) ** shares
    characteristic[[0, -1]] /= 2
    lemma = np.cos(np.outer(places, frequencies)) @ characteristic * step / np.pi
    error = np.abs(total[len(total) // 2 + places] - lemma).max()
    assert error <= math.exp(-((math.pi * deviation) ** 2)) + 1e-14
    if deviation == 0.7:
        # The bound is no empty one: where shares are of less than a step, rounding shows.
        assert error > 1e-4


@pytest.mark.parametrize("bits", [4, 5, 18])
def test_opened_noise_is_the_planned_gaussian(bits: int) -> None:
    grid, share, sites, size = SumGrid(1.0, bits), 0.25, 4, 20_000
    parts = [
        private_vector_sum([], size=size, share=share, grid=grid, stream=stream(number))
        for number in range(sites)
    ]
    opened = grid.values(np.sum(parts, axis=0, dtype=np.uint32))
    # Rounding spread evenly again: a distribution of whole numbers is no continuous one.
    uniform = np.random.default_rng(bits).uniform(-0.5, 0.5, size) * grid.step
    variance = sites * share**2 + (sites + 1) / 12 * grid.step**2
    assert stats.kstest(opened + uniform, stats.norm(0, math.sqrt(variance)).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(grid.values(parts[0]), grid.values(parts[1]))[0, 1]) < 0.03
