"""Free prompts: read for what they ask, honest about what cannot be honoured."""

from __future__ import annotations

from itertools import product

import pytest
from fedscan.model.description import (
    AGE_BANDS,
    BODY_PARTS,
    CONTRASTS,
    FINDINGS,
    MODALITIES,
    PLANES,
    SEXES,
    VIEWS,
    Description,
)
from fedscan.model.prompt import read_prompt
from hypothesis import given
from hypothesis import strategies as st


def every_description():
    for modality, body_part, finding in product(MODALITIES, BODY_PARTS, ("", *FINDINGS)):
        for where in ("", *(VIEWS if modality == "X-ray" else PLANES)):
            place = {"view": where} if modality == "X-ray" else {"plane": where}
            yield Description(modality=modality, body_part=body_part, finding=finding, **place)


def test_every_caption_is_read_back_to_what_it_was_composed_from():
    for described in every_description():
        reading = read_prompt(described.caption())
        assert reading.description == described
        assert reading.shortcomings(64) == []


@given(st.sampled_from(CONTRASTS), st.sampled_from(SEXES), st.sampled_from(AGE_BANDS))
def test_persons_and_contrast_are_read_back(contrast, sex, age_band):
    described = Description(
        modality="CT",
        body_part="chest",
        plane="axial",
        contrast=contrast,
        sex=sex,
        age_band=age_band,
    )
    assert read_prompt(described.caption()).description == described


@pytest.mark.parametrize(
    ("prompt", "caption", "complaints"),
    [
        (
            "coronal CT slice of a healthy lung, 512x512, Hounsfield units calibrated",
            "coronal CT slice of the chest, no finding",
            ["512×512: this generator makes 64×64."],
        ),
        (
            "T1 MRI of a woman's brain, 64 x 64",
            "T1-weighted MR image of the head",
            [],
        ),
        ("axial coronal CT of the head", "axial CT slice of the head", ["axial and coronal"]),
        ("sagittal chest X-ray", "chest X-ray", ["X-ray and sagittal"]),
        ("purple CT of the abdomen", "CT image of the abdomen", ["purple"]),
        ("T2 of the head in Hounsfield units", "T2-weighted MR image", ["T2-weighted MR has none"]),
    ],
)
def test_free_words_are_read_or_named(prompt, caption, complaints):
    reading = read_prompt(prompt)
    assert reading.description is not None
    assert reading.description.caption().startswith(caption)
    said = reading.shortcomings(64)
    assert len(said) == len(complaints)
    for part, line in zip(complaints, said, strict=True):
        assert part in line


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text):
    reading = read_prompt(text)
    assert isinstance(reading.shortcomings(64), list)


def test_a_prompt_without_a_modality_has_no_description():
    assert read_prompt("a healthy lung").description is None
