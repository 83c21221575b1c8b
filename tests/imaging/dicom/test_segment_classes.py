"""A segment's class is found in either coding, by name or by meaning; another one is unknown."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.imaging.dicom.segment_classes import BACKGROUND, class_of_segment
from fedscan.imaging.dicom.segmentation import merge_labels
from fedscan.model.conditions import LABEL, MASK_PRESENT, UNKNOWN, spatial_conditions
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import snomed_mapping


def coded(value: str, scheme: str = "SCT", meaning: str = "") -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


def segment(**fields: object) -> Dataset:
    ds = Dataset()
    names = {
        "label": "SegmentLabel",
        "type": "SegmentedPropertyTypeCodeSequence",
        "category": "SegmentedPropertyCategoryCodeSequence",
        "region": "AnatomicRegionSequence",
    }
    for name, value in fields.items():
        setattr(ds, names[name], value)
    return ds


CLASSES = {
    "10200004": "organ",  # liver
    "64033007": "organ",  # kidney
    "39607008": "lung",
    "80891009": "heart",
    "15825003": "heart",  # aorta
    "12738006": "brain",
    "65216001": "fluid",  # cerebrospinal fluid
    "272673000": "bone",
    "4147007": "lesion",  # mass
    "52988006": "lesion",
    "108369006": "lesion",  # neoplasm
    "79654002": "lesion",  # oedema
    "6574001": "lesion",  # necrosis
}


@pytest.mark.parametrize(("code", "name"), CLASSES.items())
def test_a_class_is_found_in_either_coding(code, name):
    assert class_of_segment(segment(type=coded(code))) == LABEL[name]
    for old in [srt for srt, sct in snomed_mapping["SRT"].items() if sct == code][:3]:
        assert class_of_segment(segment(type=coded(old, "SRT"))) == LABEL[name]


def test_the_older_codes_are_there_to_be_found():
    assert class_of_segment(segment(type=coded("T-62000", "SRT"))) == LABEL["organ"]
    assert class_of_segment(segment(type=coded("M-01100", "SRT"))) == LABEL["lesion"]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"label": "Lesion", "type": coded("10200004")}, "lesion"),
        ({"label": "vertebrae_L3"}, "bone"),
        ({"label": "kidney_left"}, "organ"),
        ({"label": "Enhancing tumor core"}, "lesion"),
        ({"label": "heart_ventricle_left"}, "heart"),
        ({"label": "Lateral ventricles"}, "fluid"),
        ({"label": "liver tumour"}, "lesion"),
        ({"label": "1", "type": coded("X-1", "99LOCAL", "Left lung")}, "lung"),
        ({"label": "1", "type": coded("X-1", "99LOCAL"), "category": coded("49755003")}, "lesion"),
        ({"type": coded("X-1"), "category": coded("M-01000", "SRT")}, "lesion"),
        ({"label": "A", "type": coded("85756007"), "region": coded("T-62000", "SRT")}, "organ"),
        ({"label": "Spleen", "type": coded("85756007")}, "organ"),
        ({"label": "1", "type": coded("T-D0050", "SRT")}, "body"),  # tissue
    ],
)
def test_names_categories_regions_and_meanings(fields, name):
    assert class_of_segment(segment(**fields)) == LABEL[name]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"label": "Segment_1"},
        {"label": "1", "type": coded("12345", "99LOCAL", "Zorgon")},
        {"label": "Biopsy needle", "category": coded("260787004")},
        {"label": "bone screw"},
        {"label": "?", "type": coded("X-1"), "region": coded("10200004")},  # within the liver
    ],
)
def test_what_is_of_no_class_is_unknown(fields):
    assert class_of_segment(segment(**fields)) == UNKNOWN


@pytest.mark.parametrize(
    "fields", [{"label": "Background"}, {"label": "b", "type": coded("125040")}]
)
def test_background_is_known_to_be_nothing(fields):
    assert class_of_segment(segment(**fields)) == BACKGROUND


LABELS = arrays(np.uint8, (3, 3), elements=st.sampled_from([0, UNKNOWN, *LABEL.values()]))


@given(LABELS, LABELS)
def test_a_known_class_wins_over_an_unknown_one_and_that_over_background(first, second):
    both, turned = first.copy(), second.copy()
    merge_labels(both, second)
    merge_labels(turned, first)
    np.testing.assert_array_equal(both, turned)
    for a, b, found in zip(first.flat, second.flat, both.flat, strict=True):
        known = [value for value in (a, b) if value not in (0, UNKNOWN)]
        expected = max(known) if known else max(a, b)
        assert found == expected


@given(LABELS)
def test_no_mask_is_given_where_something_unknown_is_marked(labels):
    stack = spatial_conditions((3, 3), mask=labels)
    np.testing.assert_array_equal(stack[MASK_PRESENT], labels != UNKNOWN)
    for value in LABEL.values():
        np.testing.assert_array_equal(stack[value - 1], labels == value)
