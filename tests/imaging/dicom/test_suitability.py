"""Pictures of screens and reports are refused like text that is burned in, whoever sent them."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.dicom.set_aside import Reason
from fedscan.imaging.settings import DataSettings

PIXELS = np.full((16, 16), 40, np.int16)


def set_aside(folder, **settings) -> dict[Reason, int]:
    return index_folder(folder, DataSettings(**settings)).set_aside


SCREENS = [
    {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
    {"ImageType": ["DERIVED", "SECONDARY", "SCREEN_SAVE", "REPORT"]},
    {"ImageType": ["DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT"]},
    {"ImageType": ["DERIVED", "SECONDARY", "DOSE_INFO"]},
    {"ImageType": ["DERIVED", "SCREEN SAVE"]},
    {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "SeriesDescription": "Dose Report"},
    {"SeriesDescription": "Patient Protocol"},
    {"SeriesDescription": "Screen-Save images"},
    {"SeriesDescription": "EXAM_SUMMARY"},
]


@pytest.mark.parametrize("modality", ["CT", "MR", "DX", "MG"])
@pytest.mark.parametrize("fields", SCREENS)
def test_screen_saves_and_reports_count_as_marked(tmp_path, write_image, modality, fields):
    write_image(tmp_path / "a", PIXELS, Modality=modality, **fields)
    assert set_aside(tmp_path, burned_in="refuse_marked") == {Reason.BURNED_IN: 1}


@pytest.mark.parametrize(
    "fields",
    [
        {"ConversionType": "WSD"},
        {"ConversionType": "SD"},
        {"ConversionType": "DF"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.2"},
    ],
)
def test_captures_count_as_likely_unless_they_state_otherwise(tmp_path, write_image, fields):
    write_image(tmp_path / "a", PIXELS, Modality="DX", **fields)
    assert set_aside(tmp_path) == {Reason.BURNED_IN: 1}
    assert set_aside(tmp_path, burned_in="refuse_marked") == {}
    write_image(tmp_path / "a", PIXELS, Modality="DX", BurnedInAnnotation="NO", **fields)
    assert set_aside(tmp_path) == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]},
        {"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "MPR"]},
        {"ImageType": ["DERIVED", "SECONDARY", "CURVED MPR", "ANGIOGRAPHY"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "LOW DOSE", "SCREENING"]},
        {"SeriesDescription": "Low dose chest protocol"},
        {"SeriesDescription": "Trauma protocol 2.0 B30f"},
        {"ConversionType": "SYN"},
    ],
)
def test_reformatted_and_usual_series_are_no_screens(tmp_path, write_image, fields):
    write_image(tmp_path / "a", PIXELS, **fields)
    assert set_aside(tmp_path) == {}
