"""What patients can teach for their budget, against training that was really run."""

import math

import numpy as np
import pytest
from fedscan.errors import PrivacyError
from fedscan.privacy.planning import plan_mechanism
from fedscan.privacy.signal import expected_signal, signal_in_cosines
from hypothesis import given
from hypothesis import strategies as st


def simulated(rng, patients, noise, sample_rate, steps, numbers, agreement):
    """Sum gradients that agree by so much, and noise; return the length of signal over noise."""
    shared = np.zeros(numbers)
    shared[0] = agreement
    signal, total = np.zeros(numbers), np.zeros(numbers)
    for site, deviation in zip(patients, noise, strict=True):
        for _ in range(steps):
            drawn = rng.random(site) < sample_rate
            signal += drawn.sum() * shared
            total += deviation * rng.standard_normal(numbers)
    return np.linalg.norm(signal) / np.linalg.norm(total)


@pytest.mark.parametrize(
    ("patients", "noise"),
    [([200], [1.5]), ([120, 80], [1.5, 1.5]), ([90, 60, 30], [1.0, 2.0, 0.5])],
)
def test_the_ratio_is_that_of_steps_really_run(patients, noise):
    rng = np.random.default_rng(0)
    options = {"sample_rate": 0.25, "steps": 24, "numbers": 4000, "agreement": 0.2}
    runs = [simulated(rng, patients, noise, **options) for _ in range(5)]
    expected = expected_signal(patients, noise=noise, pooled_noise=1.5, **options)
    assert np.mean(runs) == pytest.approx(expected.ratio, rel=0.05)


def test_local_noise_costs_the_root_of_the_number_of_sites():
    options = {"sample_rate": 0.25, "steps": 36, "numbers": 30_464, "pooled_noise": 1.194}
    one = expected_signal([400], noise=[1.194], **options)
    four = expected_signal([100] * 4, noise=[1.194] * 4, **options)
    joint = expected_signal([100] * 4, noise=[1.194 / 2] * 4, **options)
    assert one.patients == pytest.approx(400)
    assert four.patients == pytest.approx(200)
    assert joint.patients == pytest.approx(400)
    assert four.ratio == pytest.approx(one.ratio / 2)
    assert joint.ratio == pytest.approx(one.ratio)


def test_the_number_of_steps_hardly_matters_for_a_budget():
    def ratio(steps):
        noise = plan_mechanism(
            epsilon=8.0, delta=1e-5, sample_rate=0.5, steps=steps
        ).noise_multiplier
        return expected_signal(
            [400], noise=[noise], pooled_noise=noise, sample_rate=0.5, steps=steps, numbers=1000
        ).ratio

    assert ratio(64) == pytest.approx(ratio(16), rel=0.15)


@given(st.floats(0.01, 30), st.integers(1, 10**6), st.integers(1, 10**6))
def test_at_the_learnable_number_signal_and_noise_are_as_long(agreement, numbers, patients):
    signal = expected_signal(
        [patients],
        noise=[1.0],
        pooled_noise=1.0,
        sample_rate=0.5,
        steps=4,
        numbers=numbers,
        agreement=agreement,
    )
    if signal.learnable > 100:
        assert signal.of_numbers(signal.learnable).ratio == pytest.approx(1, rel=0.01)


@given(st.floats(0.05, 20), st.integers(2, 40), st.integers(0, 2**31))
def test_cosines_of_made_up_updates_tell_their_signal(ratio, sites, seed):
    rng = np.random.default_rng(seed)
    numbers = 20_000
    signal = rng.standard_normal(numbers)
    noise = rng.standard_normal((sites, numbers)) * math.sqrt(sites) / ratio
    updates = signal + noise
    mean = updates.mean(0)
    cosines = updates @ mean / np.linalg.norm(updates, axis=1) / np.linalg.norm(mean)
    assert signal_in_cosines(list(cosines)) == pytest.approx(ratio, rel=0.15, abs=0.2)


def test_noise_alone_has_no_signal():
    assert signal_in_cosines([0.5] * 4) == pytest.approx(0)
    assert signal_in_cosines([0.4] * 4) == 0
    assert signal_in_cosines([1.0, 1.0]) == math.inf


@pytest.mark.parametrize(
    "wrong",
    [{"patients": []}, {"patients": [0]}, {"noise": [0.0]}, {"numbers": 0}, {"sample_rate": 0}],
)
def test_numbers_out_of_range_are_refused(wrong):
    options = {"patients": [3], "noise": [1.0], "numbers": 5, "sample_rate": 0.5} | wrong
    with pytest.raises(PrivacyError):
        expected_signal(options.pop("patients"), pooled_noise=1.0, steps=3, **options)
