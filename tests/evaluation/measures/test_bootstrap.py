import numpy as np
import pytest
from fedscan.evaluation.measures.bootstrap import (
    balanced_accuracy,
    interval,
    macro_auc,
    patient_weights,
    weighted_auc,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score


@settings(max_examples=50)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=2, max_size=30
    )
)
def test_weighted_auc_agrees_with_scikit_learn(rows):
    scores = np.array([row[0] for row in rows], float)
    positive = np.array([row[1] for row in rows])
    weights = np.array([[row[2] for row in rows]])
    found = weighted_auc(scores, positive, weights)[0]
    kept = weights[0] > 0
    if len(set(positive[kept])) < 2:
        assert np.isnan(found)
        return
    wanted = roc_auc_score(positive[kept], scores[kept], sample_weight=weights[0][kept])
    assert found == pytest.approx(wanted)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31), count=st.integers(6, 30))
def test_macro_auc_and_balanced_accuracy_agree_with_scikit_learn(seed, count):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    assume(len(set(labels)) == 3)
    probabilities = rng.dirichlet(np.ones(3), count)
    ones = np.ones((1, count), np.int64)
    wanted = roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert macro_auc(probabilities, labels, ones)[0] == pytest.approx(wanted)
    wanted = balanced_accuracy_score(labels, probabilities.argmax(1))
    assert balanced_accuracy(probabilities, labels, ones)[0] == pytest.approx(wanted)


def test_images_of_a_patient_are_drawn_together():
    weights = patient_weights(["a", "b", "a", "c", "b"], resamples=200, seed=0)
    assert weights.shape == (201, 5)
    assert (weights[0] == 1).all()
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 1] == weights[:, 4]).all()
    drawn = weights[1:, [0, 1, 3]]
    assert (drawn.sum(axis=1) == 3).all()
    assert drawn.mean() == pytest.approx(1)
    assert np.array_equal(
        weights, patient_weights(["a", "b", "a", "c", "b"], resamples=200, seed=0)
    )


def test_repeated_images_of_patients_do_not_narrow_the_interval():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=40), np.arange(40) % 2
    scores += labels

    def width(copies):
        patients = [f"p{i}" for i in range(40)] * copies
        weights = patient_weights(patients, resamples=400, seed=1)
        found = interval(
            weighted_auc(np.tile(scores, copies), np.tile(labels, copies) == 1, weights)
        )
        return found.high - found.low

    assert width(10) == pytest.approx(width(1), rel=0.05)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """Two unit Gaussians one apart: the true AUC is Phi(1 / sqrt 2) = 0.7602."""
    rng = np.random.default_rng(2)
    covered = 0
    for trial in range(150):
        labels = np.arange(100) % 2
        scores = rng.normal(size=100) + labels
        weights = patient_weights([str(i) for i in range(100)], resamples=200, seed=trial)
        found = interval(weighted_auc(scores, labels == 1, weights))
        covered += found.low <= 0.7602 <= found.high
    assert 0.88 <= covered / 150 <= 0.99


def test_resamples_without_a_class_are_left_out():
    found = interval(np.array([0.7, np.nan, 0.6, 0.8]))
    assert (found.value, found.low, found.high) == (0.7, pytest.approx(0.605), pytest.approx(0.795))
    lonely = interval(np.array([0.7, np.nan]))
    assert (lonely.low, lonely.high) == (0.7, 0.7)
