"""Prompts in a vocabulary's words: several findings, parts, sequences, views, denials."""

from __future__ import annotations

import pytest
from fedscan.model.description import AGE_BANDS, MODALITIES, PLANES, SEXES, Description
from fedscan.model.prompt import read_prompt
from fedscan.model.words.tables import few_words, shipped_words
from hypothesis import given
from hypothesis import strategies as st

WORDS = shipped_words()


def texts(kind: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["", *(word.word for word in WORDS.of_kind(kind))])


@st.composite
def descriptions(draw: st.DrawFn) -> Description:
    modality = draw(st.sampled_from(MODALITIES))
    place = draw(st.sampled_from(list(WORDS.of_kind("body part"))))
    fields = {
        "modality": modality,
        "body_part": place.within,
        "part": "" if place.word == place.within else place.word,
        "laterality": draw(texts("laterality")),
        "sex": draw(st.sampled_from(["", *SEXES])),
        "age_band": draw(st.sampled_from(["", *AGE_BANDS])),
        "contrast": draw(st.sampled_from(["", "with contrast", "without contrast"])),
    }
    if modality == "X-ray":
        fields["view"] = draw(texts("view"))
    else:
        fields["plane"] = draw(st.sampled_from(["", *PLANES]))
    if modality.endswith("MR"):
        fitting = [w.word for w in WORDS.of_kind("sequence") if w.within == modality]
        fields["sequence"] = draw(st.sampled_from(["", *fitting]))
    if modality == "CT":
        fields["kernel"] = draw(texts("kernel"))
    names = draw(st.lists(st.sampled_from(list(WORDS.of_kind("finding"))), max_size=3))
    return WORDS.with_findings(Description(**fields), names)


@given(descriptions())
def test_every_caption_is_read_back_to_what_it_was_composed_from(described):
    reading = read_prompt(described.caption(), WORDS)
    assert reading.description == described
    assert reading.shortcomings(64) == []


@pytest.mark.parametrize(
    ("prompt", "caption"),
    [
        ("hand X-ray, fracture", "hand X-ray, fracture"),
        ("X-ray of the left knee with a fracture", "left knee X-ray, fracture"),
        ("lateral radiograph of the lumbar spine", "lumbar spine X-ray, lateral view"),
        ("FLAIR of the brain, axial", "axial FLAIR MR image of the head"),
        ("mammogram, MLO view, left", "left breast X-ray, MLO view"),
        ("chest X-ray, cardiomegaly and effusion", "chest X-ray, pleural effusion, cardiomegaly"),
        ("MR, brain tumour", "MR image of the head, brain tumour"),
        ("CT, lung nodules", "CT image of the chest, nodule"),
        ("chest X-ray, no effusion", "chest X-ray, no finding"),
        ("chest X-ray, no effusion, pneumothorax", "chest X-ray, pneumothorax"),
        ("chest X-ray, pneumonia and effusion", "chest X-ray, pleural effusion, pneumonia"),
        ("CT of the head, sharp kernel", "CT image of the head, sharp kernel"),
        ("knee, proton density", "proton density MR image of the knee"),
        ("skull X-ray, axial view", "skull X-ray, axial view"),
        ("foot film", None),
    ],
)
def test_prompts_are_read_in_the_generators_words(prompt, caption):
    shown = read_prompt(prompt, WORDS).description
    expected = caption and caption.replace("axial FLAIR MR image", "axial FLAIR MR slice")
    assert (shown and shown.caption()) == expected


def test_a_generator_with_few_words_reads_as_before():
    reading = read_prompt("hand X-ray, fracture", few_words())
    assert reading.description == Description(modality="X-ray", body_part="limb")
    assert reading.unknown_words == ("fracture",)
    two = read_prompt("chest X-ray, pneumonia, lesion", few_words())
    assert two.description == Description(modality="X-ray", body_part="chest", finding="pneumonia")
    assert two.contradictions == ("pneumonia and lesion",)


def test_two_parts_or_sequences_that_cannot_be_are_named():
    assert read_prompt("X-ray of knee and hand", WORDS).contradictions == ("knee and hand",)
    assert read_prompt("FLAIR CT of the head", WORDS).contradictions == ("MR and CT",)
    assert read_prompt("CT of the head, FLAIR", WORDS).contradictions == (
        "CT and MR",
        "CT and FLAIR",
    )
    assert read_prompt("X-ray of the spine, lumbar", WORDS).description.part == "lumbar spine"


@given(
    st.sampled_from([w.word for w in WORDS.of_kind("finding") if w.within != "no finding"]),
    st.sampled_from(["no {}", "without {}", "negative for {}", "no signs of {}", "{} absent"]),
)
def test_a_denied_finding_is_never_drawn(word, denial):
    shown = read_prompt(f"chest X-ray, {denial.format(word)}", WORDS).description
    assert shown == Description(modality="X-ray", body_part="chest", finding="no finding")


@given(st.text(max_size=60))
def test_any_text_can_be_read(text):
    shown = read_prompt(text, WORDS).description
    if shown is not None:
        assert read_prompt(shown.caption(), WORDS).description == shown
