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
            ["512×512: the images are 64×64"],
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


@pytest.mark.parametrize(
    ("prompt", "caption"),
    [
        ("PA chest X-ray, no pneumonia", "chest X-ray, PA view, no finding"),
        ("CT of the head without lesion", "CT image of the head, no finding"),
        ("no lesion in the head, axial CT", "axial CT slice of the head, no finding"),
        ("chest X-ray negative for pneumonia", "chest X-ray, no finding"),
        ("chest X-ray free of lesions", "chest X-ray, no finding"),
        ("chest X-ray, pneumonia excluded", "chest X-ray, no finding"),
        ("chest X-ray, pneumonia has been ruled out", "chest X-ray, no finding"),
        ("chest X-ray with no evidence of pneumonia or tumour", "chest X-ray, no finding"),
        ("chest X-ray, normal, no pneumonia", "chest X-ray, no finding"),
        ("chest X-ray, no pneumonia but lesion", "chest X-ray, lesion"),
        ("chest X-ray, pneumonia, no lesion", "chest X-ray, pneumonia"),
        ("CT of the head, non-contrast, lesion", "CT image of the head, lesion, without contrast"),
        ("CT of the head, no contrast", "CT image of the head, without contrast"),
        ("CT of the head, no lesion, with contrast", "CT image of the head, no finding, with"),
        ("chest X-ray of a 7 year old girl", "chest X-ray, female, child"),
        ("chest X-ray of a 71-year-old man", "chest X-ray, male, elderly"),
        ("chest X-ray of a 3-month-old baby", "chest X-ray, child"),
    ],
)
def test_denials_and_ages_are_read(prompt, caption):
    reading = read_prompt(prompt)
    assert reading.description is not None
    assert reading.description.caption().startswith(caption)
    assert reading.shortcomings(64) == []


@pytest.mark.parametrize(
    ("prompt", "caption"),
    [
        ("chest X-ray, not healthy", "chest X-ray"),
        ("chest X-ray, suspected pneumonia", "chest X-ray"),
        ("chest X-ray, pneumonia?", "chest X-ray"),
        ("chest X-ray, rule out pneumonia", "chest X-ray"),
        ("not CT but MR of the head", "MR image of the head"),
    ],
)
def test_what_is_doubted_or_has_no_opposite_is_not_drawn_but_named(prompt, caption):
    reading = read_prompt(prompt)
    assert reading.description is not None
    assert reading.description.caption() == caption
    [line] = reading.shortcomings(64)
    assert "Denied or only suspected" in line


FINDING_WORDS = st.sampled_from(["pneumonia", "lesion", "tumour", "covid-19", "masses"])
DENIALS = st.sampled_from(["no {}", "without {}", "negative for {}", "no signs of {}", "{} absent"])


@given(FINDING_WORDS, DENIALS, st.sampled_from(["chest X-ray", "axial CT of the abdomen"]))
def test_a_denied_disease_is_never_drawn(word, denial, image):
    for prompt in (f"{image}, {denial.format(word)}", f"{denial.format(word)}, {image}"):
        reading = read_prompt(prompt)
        assert reading.description is not None
        assert reading.description.finding == "no finding"
        assert reading.description.modality in ("X-ray", "CT")


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text):
    reading = read_prompt(text)
    assert isinstance(reading.shortcomings(64), list)


def test_a_prompt_without_a_modality_has_no_description():
    assert read_prompt("a healthy lung").description is None
