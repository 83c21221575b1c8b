"""One patient moves a composition by at most 1, whatever images they have."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.model.description import (
    AGE_BANDS,
    BODY_PARTS,
    FINDINGS,
    MODALITIES,
    SEXES,
    Description,
)
from fedscan.model.statistics.composition import cells, finer_words, patient_shares, scale
from fedscan.model.words.tables import few_words, shipped_words
from hypothesis import given
from hypothesis import strategies as st

DESCRIPTIONS = st.builds(
    Description,
    modality=st.sampled_from(MODALITIES),
    body_part=st.sampled_from(BODY_PARTS),
    finding=st.sampled_from(("", *FINDINGS)),
    sex=st.sampled_from(("", *SEXES)),
    age_band=st.sampled_from(("", *AGE_BANDS)),
)


@given(st.lists(DESCRIPTIONS, min_size=1, max_size=12))
def test_a_patient_has_length_1_at_most_and_adds_one_to_every_attribute(images) -> None:
    vector = patient_shares(images)
    assert float(np.linalg.norm(vector.astype(np.float64))) <= 1 + 1e-6
    for attribute in ("modality", "sex"):
        own = [index for index, cell in enumerate(cells()) if cell[0] == attribute]
        assert vector[own].sum() / scale() == pytest.approx(1.0, abs=1e-5)


def test_images_of_two_kinds_count_by_their_share() -> None:
    images = [Description(modality="CT", sex="male")] * 3 + [Description(modality="MR", sex="male")]
    shares = dict(zip(cells(), patient_shares(images) / scale(), strict=True))
    assert shares["modality", "CT"] == pytest.approx(0.75)
    assert shares["modality", "MR"] == pytest.approx(0.25)
    assert shares["sex", "male"] == pytest.approx(1.0)


WORDS = shipped_words()
FINER = finer_words(WORDS)
FINDINGS_OF_WORDS = st.lists(st.sampled_from(list(WORDS.of_kind("finding"))), max_size=5)


@given(st.lists(st.tuples(DESCRIPTIONS, FINDINGS_OF_WORDS), min_size=1, max_size=8))
def test_however_many_finer_words_a_patient_has_the_length_is_1_at_most(images) -> None:
    shown = [WORDS.with_findings(description, found) for description, found in images]
    vector = patient_shares(shown, FINER)
    assert vector.shape == (len(cells(FINER)),)
    assert float(np.linalg.norm(vector.astype(np.float64))) <= 1 + 1e-6


def test_a_word_of_a_study_is_counted_beside_the_kind_that_it_is_of() -> None:
    image = Description(
        modality="X-ray",
        body_part="limb",
        part="wrist",
        finding="other finding",
        findings=("fracture", "osteoarthritis"),
    )
    other = Description(modality="X-ray", body_part="limb", finding="no finding")
    shares = patient_shares([image, other], FINER) / scale(FINER)
    found = {cell: share for cell, share in zip(cells(FINER), shares, strict=True) if share}
    assert found["part", "wrist"] == pytest.approx(0.5)
    assert found["finding_word", "fracture"] == pytest.approx(0.25)
    assert found["finding_word", "osteoarthritis"] == pytest.approx(0.25)
    assert found["finding", "no finding"] == pytest.approx(0.5)
    assert ("finding_word", "no finding") not in cells(FINER)


def test_without_words_of_its_own_a_study_counts_and_pays_as_before() -> None:
    assert finer_words(few_words()) == {}
    assert scale() == pytest.approx(1 / np.sqrt(5))
    assert scale(FINER) == pytest.approx(1 / np.sqrt(7))
