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
from fedscan.model.statistics.composition import SCALE, cells, patient_shares
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
        assert vector[own].sum() / SCALE == pytest.approx(1.0, abs=1e-5)


def test_images_of_two_kinds_count_by_their_share() -> None:
    images = [Description(modality="CT", sex="male")] * 3 + [Description(modality="MR", sex="male")]
    shares = dict(zip(cells(), patient_shares(images) / SCALE, strict=True))
    assert shares["modality", "CT"] == pytest.approx(0.75)
    assert shares["modality", "MR"] == pytest.approx(0.25)
    assert shares["sex", "male"] == pytest.approx(1.0)
