import math

import numpy as np
import pytest
from fedscan.errors import PrivacyError
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.gaussian_sum import private_count, private_sum
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.stream import SecretStream
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

KEY = bytes(range(32))
vectors = arrays(np.float64, 3, elements=st.floats(-1e9, 1e9))


def noised(patients: list[np.ndarray], key: bytes = KEY, clip_norm: float = 2.0) -> np.ndarray:
    return private_sum(
        patients,
        size=3,
        clip_norm=clip_norm,
        noise_multiplier=1.5,
        stream=SecretStream(key, "sum"),
    )


@settings(deadline=None)
@given(patients=st.lists(vectors, max_size=5), one=vectors, clip_norm=st.floats(0.1, 10))
def test_one_patient_moves_the_sum_by_at_most_the_clip_norm(
    patients: list[np.ndarray], one: np.ndarray, clip_norm: float
) -> None:
    moved = noised([*patients, one], clip_norm=clip_norm) - noised(patients, clip_norm=clip_norm)
    # Equal secrets cancel the noise; rounding to the grid is all that it may add.
    assert np.linalg.norm(moved) <= clip_norm * (1 + 2**-14)


def test_noise_is_what_was_paid_for() -> None:
    sums = np.stack(
        [noised([np.array([0.3, 0.0, -1.0])], i.to_bytes(32, "big")) for i in range(4000)]
    )
    noise = (sums - [0.3, 0.0, -1.0]) / (1.5 * 2.0)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 5 / 4000**0.5


def test_no_attacker_does_better_than_epsilon_allows() -> None:
    # The best attack on one coordinate: guess "present" above a threshold. Its errors must
    # keep (epsilon, delta), and come close to it, or the noise is not what is accounted for.
    sigma, delta, runs = 1.5, 0.05, 4000
    here, gone = (
        np.array(
            [
                private_sum(
                    patients,
                    size=1,
                    clip_norm=1.0,
                    noise_multiplier=sigma,
                    stream=SecretStream(i.to_bytes(32, "big"), label),
                )[0]
                for i in range(runs)
            ]
        )
        for label, patients in (("here", [np.ones(1)]), ("gone", []))
    )
    eps = epsilon([SubsampledGaussian(1.0, sigma, 1)], delta)
    thresholds = np.linspace(-3, 4, 50)
    hits = (here[:, None] > thresholds).mean(0)
    false_alarms = (gone[:, None] > thresholds).mean(0)
    advantage = (hits - math.exp(eps) * false_alarms).max()
    assert advantage <= delta + 4 * (0.25 / runs) ** 0.5
    assert advantage >= 0.5 * delta


def test_an_empty_site_answers_with_noise() -> None:
    assert np.all(noised([]) != 0)


def test_a_vector_that_is_not_finite_counts_as_zero() -> None:
    assert np.array_equal(noised([np.array([np.nan, 0, 0])]), noised([]))


def test_counts_are_noised_and_never_below_one() -> None:
    counts = [
        private_count(100, noise_multiplier=4.0, stream=SecretStream(i.to_bytes(32, "big"), "n"))
        for i in range(2000)
    ]
    assert stats.kstest((np.array(counts) - 100) / 4, "norm").pvalue > 1e-3
    assert (
        min(
            private_count(0, noise_multiplier=4.0, stream=SecretStream(bytes([i] * 32), "n"))
            for i in range(10)
        )
        == 1.0
    )


def test_refuses_what_cannot_keep_the_promise() -> None:
    stream = SecretStream(KEY, "")
    with pytest.raises(PrivacyError, match="shape"):
        noised([np.zeros(4)])
    with pytest.raises(PrivacyError, match="standard deviation"):
        private_sum([], size=1, clip_norm=1.0, noise_multiplier=0.0, stream=stream)
    with pytest.raises(PrivacyError, match="clip_norm"):
        private_sum([], size=1, clip_norm=0.0, noise_multiplier=1.0, stream=stream)
    with pytest.raises(PrivacyError, match="number of patients"):
        private_count(-1, noise_multiplier=1.0, stream=stream)
