"""The secret stream: its distributions, its independence, and that it repeats."""

import copy
import pickle

import numpy as np
import pytest
import torch
from fedscan.errors import PrivacyError
from fedscan.privacy.stream import SecretStream
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def normals() -> np.ndarray:
    return SecretStream(KEY, "normals").normal64(4_000_000).numpy()


def test_the_same_key_and_label_repeat_everything() -> None:
    first, second = SecretStream(KEY, "a"), SecretStream(KEY, "a")
    for stream in (first, second):
        stream.uniform(3)
    assert torch.equal(first.normal((5, 7)), second.normal((5, 7)))
    assert np.array_equal(first.integers(0, 10, 9), second.integers(0, 10, 9))
    assert first.torch_seed() == second.torch_seed()


def test_numbers_of_a_stored_secret_stay_the_same_in_later_versions() -> None:
    # A ledger's secret must replay: whoever changes the stream changes what replays give.
    stream = SecretStream(KEY, "stays")
    assert [value.hex() for value in stream.uniform(2)] == [
        "0x1.6488da2bd1bbap-2",
        "0x1.4f696e2f686e8p-3",
    ]
    assert stream.integers(0, 1_000_000, 3).tolist() == [507080, 741849, 956573]
    assert stream.child("x").torch_seed() == 3188094211641103783


def test_normals_have_the_normal_distribution(normals: np.ndarray) -> None:
    assert stats.kstest(normals[:500_000], "norm").pvalue > 1e-3
    count = len(normals)
    for moment, expected, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((normals**moment).mean() - expected) < 4 * (variance / count) ** 0.5


@pytest.mark.parametrize("bound", [3.0, 4.0, 5.0])
def test_normals_have_the_normal_distributions_tails(normals: np.ndarray, bound: float) -> None:
    for tail in (normals > bound, normals < -bound):
        expected = len(normals) * stats.norm.sf(bound)
        assert abs(tail.sum() - expected) < 4 * expected**0.5


def test_normals_of_one_call_are_independent(normals: np.ndarray) -> None:
    limit = 4 / len(normals) ** 0.5
    # Neighbours, and the two halves of a block, which come from the same uniform numbers.
    for lag in (1, 2, 1 << 15, 1 << 16):
        assert abs((normals[lag:] * normals[:-lag]).mean()) < limit
        assert abs(((normals[lag:] ** 2 - 1) * (normals[:-lag] ** 2 - 1)).mean()) < 2 * limit


def test_normals_are_finite_whatever_the_key_stream_says() -> None:
    class Extreme(SecretStream):
        def _words(self, count: int) -> np.ndarray:
            return np.resize(np.array([0, 2**64 - 1], np.uint64), count)

    assert torch.isfinite(Extreme(KEY, "").normal64(64)).all()


def test_uniform_numbers() -> None:
    numbers = SecretStream(KEY, "uniform").uniform(300_000)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert stats.kstest(numbers, "uniform").pvalue > 1e-3
    # All 53 bits are used.
    assert np.any((numbers * 2**53) % 2 == 1)


@settings(max_examples=50)
@given(low=st.integers(-(2**40), 2**40), span=st.integers(1, 2**41))
def test_integers_stay_in_range(low: int, span: int) -> None:
    numbers = SecretStream(KEY, "integers").integers(low, low + span, 100)
    assert numbers.min() >= low
    assert numbers.max() < low + span


def test_integers_are_uniform() -> None:
    counts = np.bincount(SecretStream(KEY, "dice").integers(0, 7, 700_000), minlength=7)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_integers_of_a_wide_range_are_not_biased() -> None:
    # Two thirds of the words: without rejection the lower half would come twice as often.
    span = 2**63 - 2**61
    numbers = SecretStream(KEY, "wide").integers(0, span, 100_000)
    assert stats.kstest(numbers / span, "uniform").pvalue > 1e-3


def test_empty_ranges_are_refused() -> None:
    with pytest.raises(PrivacyError, match="no integer"):
        SecretStream(KEY, "").integers(3, 3, 1)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 5), (2, 3, 5)])
def test_normals_of_any_shape(shape: tuple[int, ...]) -> None:
    numbers = SecretStream(KEY, "").normal(shape)
    assert numbers.shape == shape
    assert numbers.dtype == torch.float32


def test_children_do_not_depend_on_what_was_drawn() -> None:
    parent = SecretStream(KEY, "parent")
    before = parent.child("child").uniform(4)
    parent.uniform(100)
    assert np.array_equal(before, parent.child("child").uniform(4))


def test_streams_of_different_labels_keys_and_depth_are_independent() -> None:
    root = SecretStream(KEY, "a")
    streams = [
        root,
        root.child("a"),
        root.child("b"),
        root.child("a").child("b"),
        root.child("ab"),
        root.child(""),
        SecretStream(KEY, ""),
        SecretStream(bytes(32), "a"),
    ]
    numbers = np.stack([stream.normal64(100_000).numpy() for stream in streams])
    correlation = np.corrcoef(numbers) - np.eye(len(streams))
    assert np.abs(correlation).max() < 5 / 100_000**0.5


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), "0" * 32, None])
def test_refuses_a_bad_key_without_showing_it(key: object) -> None:
    with pytest.raises(PrivacyError) as caught:
        SecretStream(key, "")
    assert "0000" not in str(caught.value)


def test_neither_shows_nor_copies_its_secret() -> None:
    stream = SecretStream(KEY, "label")
    assert repr(stream) == "SecretStream(<secret>)"
    for copier in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(PrivacyError, match="cannot be pickled or copied"):
            copier(stream)
