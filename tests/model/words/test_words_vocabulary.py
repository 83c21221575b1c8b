"""A vocabulary: words that codes and names select, several findings at once, tables and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from fedscan.errors import ConfigurationError
from fedscan.model.description import BODY_PARTS, FINDINGS, Description
from fedscan.model.settings import FindingSettings, VocabularySettings, WordSettings
from fedscan.model.words.tables import (
    VOCABULARY,
    few_words,
    read_vocabulary,
    shipped_words,
    study_words,
    vocabulary_to_toml,
)
from fedscan.model.words.vocabulary import Vocabulary
from hypothesis import given
from hypothesis import strategies as st

NIH = [
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
]


@pytest.mark.parametrize("label", NIH)
def test_the_labels_of_nih_chestxray14_are_fourteen_words(label):
    word = shipped_words().find(label)
    assert word is not None
    assert word.word not in ("other finding", "no finding")
    assert len({shipped_words().find(one) for one in NIH}) == 14


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("fracture", "fracture"),
        ("Fractures", None),
        ("SCT:125605004", "fracture"),
        ("SNOMED-CT:125605004", "fracture"),
        ("125605004", "fracture"),
        ("RID4650", "fracture"),
        ("RADLEX:RID4650", "fracture"),
        ("S82.1", "fracture"),
        ("S821", "fracture"),
        ("ICD10:S82", "fracture"),
        ("S83.2", None),
        ("C79.51", "bone metastasis"),
        ("C79.3", "brain metastasis"),
        ("C79.8", "metastasis"),
        ("C71.9", "brain tumour"),
        ("C41", "bone tumour"),
        ("C50.9", "tumour"),
        ("G35", "multiple sclerosis"),
        ("M51.2", "disc herniation"),
        ("I61.0", "haemorrhage"),
        ("J18.9", "pneumonia"),
        ("J20", None),
        ("U07.1", "COVID-19"),
        ("covid_19", "COVID-19"),
        ("No Finding", "no finding"),
        ("glioma", "glioma"),
        ("pituitary tumor", "pituitary tumour"),
        ("RADLEX:125605004", None),
        ("Doe^Jane", None),
        ("", None),
        (":", None),
    ],
)
def test_a_text_or_a_code_names_a_word_or_nothing(text, word):
    found = shipped_words().find(text)
    assert (found and found.word) == word


def test_every_word_is_found_by_all_that_selects_it():
    vocabulary = shipped_words()
    for word in vocabulary.words:
        for text in (word.word, word.word.upper(), *word.names, *word.codes):
            found = vocabulary.find(text.partition("-")[0] if "ICD10" in text else text, word.kind)
            assert found is not None, text
            # A name or code that two words claim is that of the weightier one.
            assert vocabulary.words.index(found) <= vocabulary.words.index(word), text


def test_the_frame_is_in_every_vocabulary():
    for vocabulary in (
        few_words(),
        shipped_words(),
        study_words(VocabularySettings(start="none"), few_words()),
    ):
        assert {word.word for word in vocabulary.of_kind("finding")} >= set(FINDINGS)
        assert {word.word for word in vocabulary.of_kind("body part")} >= set(BODY_PARTS)
        for kind, frame in (("finding", FINDINGS), ("body part", BODY_PARTS)):
            assert {word.within for word in vocabulary.of_kind(kind)} <= set(frame)
    assert few_words().is_few
    assert not shipped_words().is_few


def test_the_parts_of_the_body_go_from_skull_to_toe():
    vocabulary = shipped_words()
    asked = [
        "skull",
        "c-spine",
        "shoulder",
        "elbow",
        "wrist",
        "hand",
        "hip",
        "knee",
        "ankle",
        "foot",
        "toe",
        "breast",
        "lumbar",
    ]
    found = [vocabulary.find(text, "body part") for text in asked]
    assert [word and word.within for word in found] == [
        "head", "spine", *["limb"] * 4, "pelvis", *["limb"] * 4, "chest", "spine",
    ]  # fmt: skip


CHEST = Description(modality="X-ray", body_part="chest")


def said(*names: str, vocabulary: Vocabulary | None = None) -> Description:
    vocabulary = vocabulary or shipped_words()
    words = [vocabulary.find(name) for name in names]
    return vocabulary.with_findings(CHEST, [word for word in words if word])


def test_several_findings_hold_at_once_the_weightiest_first():
    shown = said("effusion", "cardiomegaly", "pneumonia", "effusion")
    assert shown.findings == ("pleural effusion", "cardiomegaly", "pneumonia")
    assert shown.finding == "other finding"
    assert shown.caption() == "chest X-ray, pleural effusion, cardiomegaly, pneumonia"
    assert said("nodule", "pneumothorax").finding == "lesion"


def test_words_of_the_frame_say_no_more_than_the_finer_ones():
    assert said("no finding") == Description(
        modality="X-ray", body_part="chest", finding="no finding"
    )
    assert said("no finding", "fracture").findings == ("fracture",)
    assert said("lesion", "nodule").findings == ("nodule",)
    assert said("other finding", "nodule").findings == ("nodule",)
    assert said("pneumonia").findings == ()
    assert said("pneumonia").finding == "pneumonia"
    assert said() == CHEST


@given(st.lists(st.sampled_from([w.word for w in shipped_words().of_kind("finding")])))
def test_any_findings_make_a_description_in_any_order(names):
    shown = said(*names)
    assert shown == said(*reversed(names), *names)
    assert set(shown.known_findings) <= set(names)
    assert bool(shown.known_findings) == bool(names)
    kinds = {shipped_words().find(name).within for name in shown.known_findings}
    assert shown.finding in (kinds or {""})
    if kinds - {"no finding"}:
        assert "no finding" not in kinds


def test_a_study_extends_replaces_and_leaves_out():
    own = VocabularySettings(
        start="shipped",
        findings=(
            FindingSettings(word="chordoma", within="lesion", codes=("ICD10:C41.2",)),
            FindingSettings(word="fracture", names=("knochenbruch",)),
        ),
        leave_out=("hernia",),
    )
    words = study_words(own, few_words())
    assert words.find("C41.2").word == "chordoma"
    assert words.find("Knochenbruch").word == "fracture"
    assert words.find("S82.1") is None
    assert words.find("hernia").word == "other finding"
    shown = said("effusion", "chordoma", vocabulary=words)
    assert shown.findings == ("chordoma", "pleural effusion")
    alone = study_words(VocabularySettings(start="none", findings=own.findings), shipped_words())
    assert alone.find("effusion") is None
    assert {w.word for w in alone.of_kind("finding")} == {"chordoma", "fracture", *FINDINGS}
    assert study_words(VocabularySettings(), shipped_words()) == shipped_words()
    assert study_words(VocabularySettings(), few_words()) == few_words()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"findings": (FindingSettings(word="lump"), FindingSettings(word="Lump"))},
            "'Lump' is there twice",
        ),
        ({"leave_out": ("lump",)}, "leave_out names 'lump'"),
        ({"leave_out": ("lesion",)}, "cannot be left out"),
        ({"findings": (FindingSettings(word="lesion"),)}, "write within = 'lesion'"),
        ({"contrasts": (WordSettings(word="oral"),)}, "'oral' is none of with contrast"),
    ],
)
def test_words_that_cannot_be_are_named(settings, problem):
    with pytest.raises(ConfigurationError, match=problem):
        study_words(VocabularySettings(**settings), shipped_words())


_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 /+.\-]{0,20}", fullmatch=True)
_CODES = st.one_of(
    st.from_regex(r"SCT:[0-9]{6,12}", fullmatch=True),
    st.from_regex(r"RADLEX:RID[0-9]{1,6}", fullmatch=True),
    st.from_regex(r"ICD10:[A-Z][0-9]{2}(\.[0-9])?", fullmatch=True),
)


@given(
    st.lists(
        st.builds(
            FindingSettings,
            word=_NAMES,
            codes=st.lists(_CODES, max_size=3).map(tuple),
            names=st.lists(_NAMES, max_size=3).map(tuple),
            within=st.sampled_from(["lesion", "other finding"]),
        ),
        max_size=4,
        unique_by=lambda one: one.word.lower(),
    )
)
def test_a_vocabulary_is_written_and_read_back(tmp_path_factory, findings):
    folder: Path = tmp_path_factory.mktemp("words")
    if {one.word for one in findings} & set(FINDINGS):
        return
    words = study_words(VocabularySettings(findings=tuple(findings)), shipped_words())
    (folder / VOCABULARY).write_text(vocabulary_to_toml(words), encoding="utf-8")
    assert read_vocabulary(folder) == words


def test_a_generator_without_words_has_few(tmp_path):
    assert read_vocabulary(tmp_path) == few_words()
    (tmp_path / VOCABULARY).write_text('start = "none"\nfindings = [{word = "a, b"}]\n')
    with pytest.raises(ConfigurationError, match="findings 1: word = 'a, b'"):
        read_vocabulary(tmp_path)
