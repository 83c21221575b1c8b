"""Scores are those of the definitions, computed here in another way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from fedscan.errors import DataError
from fedscan.evaluation.readers.agreement import nominal_alpha
from fedscan.evaluation.readers.answers import Answer, AnswerBook
from fedscan.evaluation.readers.score import Sheet, score_sheet, score_study
from fedscan.evaluation.section import Section
from hypothesis import given
from hypothesis import strategies as st

# Krippendorff 2011, section C: four observers, twelve units, nominal data, alpha = 0.743.
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]


def counted(table, answers):
    table = np.array(table)
    return np.stack([(table == value).sum(axis=0) for value in answers], axis=1)


def by_pairs(counts):
    """Alpha from the definition: disagreeing pairs, one by one."""
    units = [
        [value for value, count in enumerate(row) for _ in range(count)]
        for row in counts
        if sum(row) > 1
    ]
    values = [value for unit in units for value in unit]
    observed = sum(
        sum(a != b for a, b in itertools.permutations(unit, 2)) / (len(unit) - 1) for unit in units
    ) / max(len(values), 1)
    pairs = list(itertools.permutations(values, 2))
    expected = sum(a != b for a, b in pairs) / max(len(pairs), 1)
    return None if not expected else 1 - observed / expected


def test_alpha_is_the_published_one():
    assert nominal_alpha(counted(PUBLISHED, range(1, 6))) == pytest.approx(0.743, abs=5e-4)


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=3), min_size=1, max_size=8).filter(
        lambda rows: len({len(row) for row in rows}) == 1
    )
)
def test_alpha_is_that_of_all_pairs(rows):
    counts = np.array(rows)
    expected = by_pairs(rows)
    if expected is None:
        assert nominal_alpha(counts) is None
    else:
        assert nominal_alpha(counts) == pytest.approx(expected)
        # An image that counts twice is an image that is there twice.
        assert nominal_alpha(counts, np.full(len(counts), 2)) == pytest.approx(by_pairs(rows * 2))


def sheet(ratings):
    ratings = np.array(ratings)
    synthetic = np.arange(ratings.shape[1]) >= ratings.shape[1] // 2
    names = tuple(f"reader-{number}" for number in range(len(ratings)))
    return Sheet(readers=names, ratings=ratings, synthetic=synthetic)


def measures(section):
    return {measure.name: measure for measure in section.measures}


def test_shares_are_counted_over_all_answers():
    found = measures(score_sheet(sheet([[4, 4, 3, 1, 1, 3], [4, 2, 0, 1, 0, 1]])))
    assert found["accepted_real"].value == pytest.approx(4 / 5)
    assert found["accepted_synthetic"].value == pytest.approx(1 / 5)
    assert found["sensitivity"].value == pytest.approx(4 / 5)
    # By hand: of reader 0's nine pairs seven and a half are right (3 against 3 counts half).
    first = (3 + 3 + 2.5) / 9
    assert found["auc"].value == pytest.approx((first + 1.0) / 2)
    for measure in found.values():
        assert measure.low <= measure.value <= measure.high


def test_a_perfect_reader_a_fooled_one_and_one_who_swaps():
    perfect = measures(score_sheet(sheet([[4] * 10 + [1] * 10] * 2)))
    assert (perfect["auc"].value, perfect["agreement"].value) == (1.0, 1.0)
    assert perfect["accepted_synthetic"].high == 0.0
    fooled = measures(score_sheet(sheet([[4] * 20] * 2)))
    assert fooled["auc"].value == 0.5
    assert fooled["accepted_synthetic"].value == 1.0
    assert fooled["agreement"].value is None  # all answers alike: nothing to agree about
    swapped = measures(score_sheet(sheet([[1] * 10 + [4] * 10, [4] * 10 + [1] * 10])))
    assert swapped["auc"].value == 0.5
    assert swapped["agreement"].value < 0


def test_the_interval_shrinks_with_more_images():
    def width(times):
        found = measures(score_sheet(sheet([[4, 4, 1] * times + [1, 1, 4] * times])))
        return found["accepted_synthetic"].high - found["accepted_synthetic"].low

    assert width(40) < 0.5 * width(4)


def test_a_study_is_scored_with_its_key(study):
    with pytest.raises(DataError, match="Nobody"):
        score_study(study)
    book = AnswerBook(study)
    for item, synthetic in study.key().items():
        book.add("ann", Answer(item=item, rating=1 if synthetic else 4, seconds=1.0))
    section = score_study(study)
    assert measures(section)["auc"].value == 1.0
    assert measures(section)["agreement"].value is None
    assert section.tables[0].rows[0][:2] == ("ann", 8)
    assert Section.from_dict(section.to_dict()) == section
