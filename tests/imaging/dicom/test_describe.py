"""Header fields select words of the vocabulary; nothing of them is copied."""

from __future__ import annotations

import re

import pytest
from fedscan.imaging.dicom.describe import DESCRIBED_BY, describe
from fedscan.model import description as vocabulary
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag


def header(**fields: object) -> Dataset:
    ds = Dataset()
    ds.Modality = "CT"
    for keyword, value in fields.items():
        setattr(ds, keyword, value)
    return ds


def code(value: str) -> Sequence:
    item = Dataset()
    item.CodeValue = value
    item.CodeMeaning = "Doe Jane 1980"
    return Sequence([item])


@pytest.mark.parametrize(
    ("fields", "caption"),
    [
        ({}, "CT image of the body"),
        ({"BodyPartExamined": "BRAIN"}, "CT image of the head"),
        ({"BodyPartExamined": "C-SPINE"}, "CT image of the spine"),
        ({"BodyPartExamined": "TSPINE"}, "CT image of the spine"),
        ({"BodyPartExamined": "CHESTABDOMEN"}, "CT image of the body"),
        ({"BodyPartExamined": "ABDOMEN_PELVIS"}, "CT image of the abdomen"),
        ({"AnatomicRegionSequence": code("39607008")}, "CT image of the chest"),
        (
            {"AnatomicRegionSequence": code("T-D1100"), "BodyPartExamined": "FOOT"},
            "CT image of the head",
        ),
        ({"StudyDescription": "CT Thorax"}, "CT image of the chest"),
        ({"StudyDescription": "Chest and abdomen"}, "CT image of the body"),
        ({"PatientSex": "F", "PatientAge": "070Y"}, "CT image of the body, female, elderly"),
        ({"PatientSex": "O", "PatientAge": "018M"}, "CT image of the body, child"),
        ({"PatientAge": "30"}, "CT image of the body"),
        (
            {"PatientBirthDate": "19800101", "StudyDate": "20200630"},
            "CT image of the body, middle-aged",
        ),
        ({"PatientBirthDate": "20300101", "StudyDate": "20200630"}, "CT image of the body"),
        ({"ContrastBolusAgent": "Iohexol"}, "CT image of the body, with contrast"),
        ({"ContrastBolusAgent": "NONE"}, "CT image of the body, without contrast"),
        ({"ContrastBolusAgent": ""}, "CT image of the body"),
        ({"AdmittingDiagnosesCodeSequence": code("52988006")}, "CT image of the body, lesion"),
        (
            {"AdmittingDiagnosesCodeSequence": code("281900007")},
            "CT image of the body, no finding",
        ),
        ({"AdmittingDiagnosesCodeSequence": code("J18.9")}, "CT image of the body, pneumonia"),
        ({"AdmittingDiagnosesCodeSequence": code("840539006")}, "CT image of the body, COVID-19"),
        ({"AdmittingDiagnosesCodeSequence": code("38341003")}, "CT image of the body"),
    ],
)
def test_coded_fields_make_the_caption(fields, caption):
    assert describe(header(**fields)).caption() == caption


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("Chest X-ray, No finding", "no finding"),
        ("Chest X-ray, Other pneumonia", "pneumonia"),
        ("Chest X-ray, COVID-19", "COVID-19"),
        ("Chest X-ray, Other", "other finding"),
        ("Chest X-ray, unlabelled", ""),
        ("CXR pleural effusion", "other finding"),
        ("CXR ?pneumonia", ""),
        ("CXR r/o pneumonia", ""),
        ("no pneumonia", ""),
        ("NEGATIVE FOR PNEUMONIA", ""),
        ("COVID-19 NEGATIVE", ""),
        ("Pneumonia excluded", ""),
        ("COVID-19 ruled out", ""),
        ("s/p pneumonia", ""),
        ("pneumonia unlikely", ""),
        ("Hx of pneumonia", ""),
        ("CT STROKE PROTOCOL", ""),
        ("MASS GENERAL HOSPITAL CHEST", ""),
        ("no effusion, pneumonia", ""),
        ("not normal", ""),
        ("pneumonia, no effusion", "pneumonia"),
        ("normal heart, pneumonia", "pneumonia"),
        ("Follow up effusion", ""),
        ("Mother and child ward", ""),
    ],
)
def test_words_select_a_finding_only_where_they_state_one(text, finding):
    assert describe(header(Modality="DX", StudyDescription=text)).finding == finding


def test_a_code_outweighs_words():
    ds = header(StudyDescription="pneumonia", AdmittingDiagnosesCodeSequence=code("281900007"))
    assert describe(ds).finding == "no finding"


@pytest.mark.parametrize(
    ("fields", "view"),
    [
        ({"ViewPosition": "PA"}, "PA"),
        ({"ViewPosition": "LL"}, "lateral"),
        ({"ViewCodeSequence": code("399348003"), "ViewPosition": "PA"}, "AP"),
        ({"SeriesDescription": "W033 Chest LAT"}, "lateral"),
        ({"SeriesDescription": "PA and lateral"}, ""),
        ({}, ""),
    ],
)
def test_views(fields, view):
    assert describe(header(Modality="CR", **fields)).view == view


@pytest.mark.parametrize(
    ("fields", "modality"),
    [
        ({"EchoTime": 12, "RepetitionTime": 500, "ScanningSequence": "SE"}, "T1-weighted MR"),
        ({"EchoTime": 92, "RepetitionTime": 4800, "ScanningSequence": "SE"}, "T2-weighted MR"),
        ({"EchoTime": 15, "RepetitionTime": 3000, "ScanningSequence": "SE"}, "MR"),
        (
            {
                "EchoTime": 3,
                "RepetitionTime": 2000,
                "InversionTime": 900,
                "FlipAngle": 9,
                "ScanningSequence": ["GR", "IR"],
            },
            "T1-weighted MR",
        ),
        (
            {
                "EchoTime": 100,
                "RepetitionTime": 9000,
                "InversionTime": 2500,
                "ScanningSequence": ["SE", "IR"],
            },
            "MR",
        ),
        ({"EchoTime": 90, "RepetitionTime": 5000, "ScanningSequence": "EP"}, "MR"),
        ({"EchoTime": 25, "RepetitionTime": 700, "FlipAngle": 20, "ScanningSequence": "GR"}, "MR"),
        ({"EffectiveEchoTime": 90, "RepetitionTime": 4000}, "T2-weighted MR"),
        ({"AcquisitionContrast": "T1"}, "T1-weighted MR"),
        ({"AcquisitionContrast": "DIFFUSION", "EchoTime": 90, "RepetitionTime": 4000}, "MR"),
        ({"SeriesDescription": "Ax T2 TSE"}, "T2-weighted MR"),
        ({"SeriesDescription": "Ax T2 FLAIR"}, "MR"),
        ({"SeriesDescription": "T1 and T2"}, "MR"),
        ({"SeriesDescription": "scout"}, "MR"),
    ],
)
def test_mr_weighting(fields, modality):
    assert describe(header(Modality="MR", **fields)).modality == modality


def test_an_unknown_modality_has_no_description():
    assert describe(header(Modality="PT")) is None


#: pydicom objects to the odd values that these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

_GRAMMAR = {"slice", "image", "of", "the", "view"}
_WORDS = _GRAMMAR | {
    word
    for words in vars(vocabulary).values()
    if isinstance(words, tuple)
    for phrase in words
    for word in phrase.split()
}
_TEXT_VRS = {"LO", "SH", "LT", "ST", "UT", "CS", "PN", "AS", "DA", "DS", "IS"}
_NAMES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["Doe^Jane", "19800101", "lesion Doe", "T1 Müller", "no finding; call Ann"]),
)


@given(
    modality=st.sampled_from(["CT", "MR", "DX", "CR", "US"]),
    texts=st.dictionaries(st.sampled_from(DESCRIBED_BY), _NAMES),
    codes=st.lists(_NAMES, max_size=3),
)
def test_whatever_a_header_says_a_caption_holds_vocabulary_only(modality, texts, codes):
    ds = Dataset()
    for keyword, text in texts.items():
        if dictionary_VR(keyword) in _TEXT_VRS:
            ds[keyword] = _element(keyword, text)
        elif dictionary_VR(keyword) == "SQ":
            setattr(ds, keyword, Sequence([_item(text) for text in codes]))
    ds.Modality = modality
    caption = describe(ds, plane="axial").caption()
    assert set(re.split(r"[ ,]+", caption)) <= _WORDS


def _element(keyword: str, text: str) -> RawDataElement:
    """Make an element as a file holds it: it is decoded, or fails to be, when looked at."""
    value = text.encode("utf-8", "replace")
    return RawDataElement(Tag(keyword), dictionary_VR(keyword), len(value), value, 0, False, True)


def _item(text: str) -> Dataset:
    item = Dataset()
    item["CodeValue"] = _element("CodeValue", text)
    item["CodeMeaning"] = _element("CodeMeaning", text)
    return item
