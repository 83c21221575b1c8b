"""Headers select the finer words of a vocabulary: parts, sides, sequences, kernels, findings."""

from __future__ import annotations

import re

import pytest
from fedscan.imaging.dicom.describe import DESCRIBED_BY, describe
from fedscan.model.settings import FindingSettings, VocabularySettings
from fedscan.model.words.tables import few_words, shipped_words, study_words
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

WORDS = shipped_words()

#: pydicom objects to the odd values that these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def header(modality: str, **fields: object) -> Dataset:
    ds = Dataset()
    ds.Modality = modality
    for keyword, value in fields.items():
        setattr(ds, keyword, value)
    return ds


def codes(*values: str) -> Sequence:
    items = []
    for value in values:
        item = Dataset()
        item.CodeValue = value
        item.CodeMeaning = "Doe Jane 1980"
        items.append(item)
    return Sequence(items)


@pytest.mark.parametrize(
    ("fields", "caption"),
    [
        (("DX", {"BodyPartExamined": "HAND"}), "hand X-ray"),
        (("DX", {"BodyPartExamined": "KNEE", "Laterality": "L"}), "left knee X-ray"),
        (("CR", {"BodyPartExamined": "C-SPINE"}), "cervical spine X-ray"),
        (("CR", {"BodyPartExamined": "FOOT", "SeriesDescription": "Foot R lat"}), None),
        (("CR", {"AnatomicRegionSequence": codes("T-D9200")}), "knee X-ray"),
        (("CR", {"BodyPartExamined": "CHEST", "ViewPosition": "PA"}), "chest X-ray, PA view"),
        (("CR", {"StudyDescription": "Skull AP", "ViewPosition": "AP"}), "skull X-ray, AP view"),
        (
            ("MG", {"BodyPartExamined": "BREAST", "ViewPosition": "MLO", "ImageLaterality": "L"}),
            "left breast X-ray, MLO view",
        ),
        (
            ("MG", {"ViewCodeSequence": codes("R-10242"), "ImageLaterality": "B"}),
            "breast X-ray, CC view, both sides",
        ),
        (
            ("MR", {"SeriesDescription": "Ax T2 FLAIR", "BodyPartExamined": "BRAIN"}),
            "FLAIR MR image of the head",
        ),
        (
            ("MR", {"AcquisitionContrast": "PROTON_DENSITY", "BodyPartExamined": "KNEE"}),
            "proton density MR image of the knee",
        ),
        (("MR", {"SeriesDescription": "DWI b1000"}), "DWI MR image of the body"),
        (
            ("MR", {"EchoTime": 90, "RepetitionTime": 9000, "InversionTime": 2500}),
            "FLAIR MR image of the body",
        ),
        (
            ("MR", {"SeriesDescription": "t1_se_tra post gad", "BodyPartExamined": "HEAD"}),
            "T1-weighted MR image of the head, with contrast",
        ),
        (("MR", {"AcquisitionContrast": "T1", "SeriesDescription": "PD"}), None),
        (
            ("CT", {"BodyPartExamined": "HEAD", "ConvolutionKernel": "H60s"}),
            "CT image of the head, sharp kernel",
        ),
        (("CT", {"ConvolutionKernel": ["Br40d", "3"]}), "CT image of the body, soft kernel"),
        (("CT", {"ConvolutionKernel": "Doe^Jane"}), "CT image of the body"),
        (
            ("DX", {"BodyPartExamined": "LOWER LEG", "AdmittingDiagnosesDescription": "Fx tibia"}),
            "lower leg X-ray",
        ),
        (
            ("DX", {"BodyPartExamined": "ANKLE", "AdmittingDiagnosesDescription": "fractures"}),
            "ankle X-ray, fracture",
        ),
        (
            ("DX", {"AdmittingDiagnosesCodeSequence": codes("J90", "I51.7", "S22.3")}),
            "body X-ray, fracture, pleural effusion, cardiomegaly",
        ),
        (
            ("MR", {"AdmittingDiagnosesCodeSequence": codes("G35")}),
            "MR image of the body, multiple sclerosis",
        ),
        (
            ("DX", {"StudyDescription": "CXR: effusion, no pneumothorax"}),
            "chest X-ray, pleural effusion",
        ),
        (("DX", {"AdmittingDiagnosesDescription": "Pneumonia excluded"}), "body X-ray"),
        (("DX", {"AdmittingDiagnosesDescription": "Hx of fracture"}), "body X-ray"),
        (("DX", {"AdmittingDiagnosesDescription": "CT STROKE PROTOCOL"}), "body X-ray"),
        (("DX", {"AdmittingDiagnosesDescription": "no abnormality"}), "body X-ray, no finding"),
    ],
)
def test_fields_select_finer_words(fields, caption):
    modality, values = fields
    shown = describe(header(modality, **values), vocabulary=WORDS)
    if caption is None:
        # Said twice, or at odds with what is measured: nothing is said.
        assert shown.sequence == ""
        return
    assert shown.caption() == caption


def test_a_region_is_the_same_with_few_words_and_many():
    for part in ("SKULL", "KNEE", "LSPINE", "HIP", "CHEST", "ABDOMEN", "HAND"):
        ds = header("CR", BodyPartExamined=part)
        many = describe(ds, vocabulary=WORDS)
        assert many.body_part == describe(ds, vocabulary=few_words()).body_part


def test_a_word_of_the_study_alone():
    own = VocabularySettings(findings=(FindingSettings(word="chordoma", within="lesion"),))
    words = study_words(own, few_words())
    shown = describe(header("MR", StudyDescription="MR Skull, Chordoma"), vocabulary=words)
    assert (shown.finding, shown.findings) == ("lesion", ("chordoma",))
    assert shown.caption() == "MR image of the head, chordoma"


_KNOWN = {token for word in WORDS.words for token in re.split(r"[ ,]+", word.word)}
_KNOWN |= {"CT", "MR", "X-ray", "ultrasound", "image", "slice", "of", "the", "view", "axial"}
_KNOWN |= {"T1-weighted", "T2-weighted", "female", "male", "child", "young", "adult"}
_KNOWN |= {"middle-aged", "elderly"}
_TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["Doe^Jane", "19800101", "glioma Doe", "left hand Müller", "B70f Doe"]),
    st.lists(st.sampled_from([w.word for w in WORDS.words]), max_size=4).map(" Doe ".join),
)


@given(
    modality=st.sampled_from(["CT", "MR", "DX", "MG", "US"]),
    texts=st.dictionaries(st.sampled_from(DESCRIBED_BY), _TEXTS),
    values=st.lists(_TEXTS, max_size=3),
)
def test_whatever_a_header_says_a_caption_holds_words_only(modality, texts, values):
    ds = header(modality)
    for keyword, text in texts.items():
        if dictionary_VR(keyword) in ("LO", "SH", "CS", "UT", "LT"):
            setattr(ds, keyword, text)
        elif dictionary_VR(keyword) == "SQ":
            setattr(ds, keyword, codes(*values))
    ds.Modality = modality
    caption = describe(ds, plane="axial", vocabulary=WORDS).caption()
    assert set(re.split(r"[ ,]+", caption)) <= _KNOWN
