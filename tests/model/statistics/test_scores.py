"""Scores of held-out patients: bounded for each of them, and honest about what noise covers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fedscan.model.statistics.scores import (
    BINS,
    CELLS,
    PatientScore,
    better_share,
    counts,
    patient_vector,
    right_share,
)
from hypothesis import given
from hypothesis import strategies as st

#: What an image may make of a score, broken ones too.
SCORES = st.builds(
    PatientScore,
    ratio=st.floats(allow_nan=True, allow_infinity=True),
    has_finding=st.sampled_from([None, False, True]),
    says_so=st.sampled_from([None, False, True]),
)


@given(SCORES)
def test_a_patient_moves_the_sum_by_a_length_of_at_most_one(score: PatientScore) -> None:
    vector = patient_vector(score)
    assert vector.shape == (CELLS,)
    assert np.linalg.norm(vector.astype(np.float64)) <= 1 + 1e-7
    assert np.count_nonzero(vector[:BINS]) == 1
    assert np.count_nonzero(vector[BINS:]) <= 1


def test_a_fit_that_is_no_number_counts_as_the_worst() -> None:
    for ratio in (math.nan, math.inf, 1e300):
        assert patient_vector(PatientScore(ratio=ratio))[BINS - 1] > 0
    assert patient_vector(PatientScore(ratio=1.0))[BINS // 2] > 0, "equal is not better"


@given(st.lists(SCORES, max_size=30))
def test_counts_are_of_patients(scores: list[PatientScore]) -> None:
    assert counts(scores)[:BINS].sum() == len(scores)


def test_the_share_is_that_of_the_patients_and_its_interval_covers_it() -> None:
    """95 of 100 intervals cover the truth, with the spread of patients and of the noise."""
    rng = np.random.default_rng(0)
    for truth, patients, deviation in ((0.7, 400, 0.0), (0.7, 400, 8.0), (0.5, 150, 3.0)):
        covered = 0
        for _ in range(400):
            better = rng.binomial(patients, truth)
            numbers = np.zeros(CELLS)
            numbers[1], numbers[4] = better, patients - better
            numbers += rng.normal(0, deviation, CELLS)
            share = better_share(numbers.tolist(), deviation)
            assert share is not None
            covered += share.low <= truth <= share.high
        assert 0.92 <= covered / 400 <= 0.99, (truth, patients, deviation)


def test_noise_widens_the_interval_and_hides_a_handful() -> None:
    numbers = [0.0] * CELLS
    numbers[2], numbers[3] = 60.0, 40.0
    widths = []
    for deviation in (0.0, 2.0, 6.0):
        share = better_share(numbers, deviation)
        assert share is not None
        assert share.value == pytest.approx(0.6)
        widths.append(share.high - share.low)
    assert widths == sorted(set(widths))
    assert better_share(numbers, 30.0) is None
    assert better_share([0.0] * CELLS, 0.0) is None


def test_findings_are_told_as_if_both_were_equally_frequent() -> None:
    numbers = [0.0] * CELLS
    numbers[BINS:] = [90.0, 10.0, 5.0, 5.0]
    share = right_share(numbers, 0.0)
    assert share is not None
    assert share.value == pytest.approx((0.9 + 0.5) / 2)
    assert right_share([0.0] * CELLS, 0.0) is None
