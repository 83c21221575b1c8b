"""Names, dates and free text stay where they are: in the scans."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
from fedscan.client.data.dataset import SiteDataset
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.dicom.summary import summarise
from fedscan.imaging.settings import DataSettings
from pydicom import dcmread
from pydicom.uid import RLELossless

SECRET = "Zuckerkandl"
SETTINGS = DataSettings(image_size=16)
_TEXTS = (
    "PatientID", "PatientName", "PatientComments", "InstitutionName", "ReferringPhysicianName",
    "StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments", "ContrastBolusAgent",
    "AdmittingDiagnosesDescription", "PatientOrientation", "StudyID", "AccessionNumber",
    "AcquisitionContrast", "BodyPartExamined", "ViewPosition", "PatientSex", "ScanningSequence",
)  # fmt: skip


@pytest.fixture
def scans(tmp_path, make_image, save_dicom) -> Path:
    """Files with the secret in every text field, in UIDs and dates, whole and damaged."""
    folder = tmp_path / SECRET
    pixels = np.random.default_rng(0).integers(0, 900, (16, 16)).astype(np.int16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, modality in enumerate(("CT", "MR", "DX", "US")):
            ds = make_image(pixels, Modality=modality, BurnedInAnnotation="NO")
            for keyword in _TEXTS:
                setattr(ds, keyword, SECRET)
            ds.SeriesInstanceUID = ds.StudyInstanceUID = ds.FrameOfReferenceUID = SECRET
            ds.PatientBirthDate = ds.StudyDate = SECRET[:8]
            whole = save_dicom(ds, folder / f"{SECRET}{number}").read_bytes()
            for cut in range(140, len(whole), 150):
                (folder / f"{number}-{cut}").write_bytes(whole[:cut])
            packed = dcmread(folder / f"{SECRET}{number}")
            packed.SOPInstanceUID += ".1"
            packed.compress(RLELossless)
            packed.PixelData = packed.PixelData[:-60] + SECRET.encode() * 5
            packed.save_as(folder / f"rle{number}")
    return folder


def test_nothing_is_said_while_reading(scans, tmp_path, capfd, caplog):
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        index = index_folder(scans, SETTINGS)
        dataset = SiteDataset.open(scans, SETTINGS, tmp_path / "cache")
    said = "".join(
        (
            *capfd.readouterr(),
            caplog.text,
            *(str(warning.message) for warning in warned),
            repr(summarise(index)),
            repr(dataset.contents()),
        )
    )
    assert SECRET.lower() not in said.lower()
    assert dataset.patients


def test_the_cache_knows_captions_and_pixels_only(scans, tmp_path):
    dataset = SiteDataset.open(scans, SETTINGS, tmp_path / "cache")
    for path in (tmp_path / "cache").rglob("*"):
        assert SECRET.lower() not in path.name.lower()
        if path.is_file():
            assert SECRET.lower().encode() not in path.read_bytes().lower()
    for key in dataset.patients:
        for example in dataset.examples(key):
            assert SECRET.lower() not in example.description.caption().lower()


def test_reading_leaves_pydicom_and_logging_as_they_were(scans):
    from pydicom import config

    before = config.settings.reading_validation_mode, logging.getLogger("pydicom").level
    index_folder(scans, SETTINGS)
    assert before == (config.settings.reading_validation_mode, logging.getLogger("pydicom").level)
