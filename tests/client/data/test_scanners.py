"""Scanners are told apart by codes that hold nothing of the header."""

from __future__ import annotations

import numpy as np
from fedscan.client.data.identity import DatasetIdentity
from fedscan.client.data.scanners import modality_of, patient_scanners
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.settings import DataSettings

IDENTITY = DatasetIdentity(name="0" * 32, salt=bytes(32))
PIXELS = np.zeros((16, 16), np.int16)


def test_scanners_are_coded_and_patients_of_several_left_out(tmp_path, write_image):
    def write(name, **fields):
        write_image(tmp_path / f"{name}.dcm", PIXELS, **fields)

    acme = {"Modality": "MR", "Manufacturer": "Acme", "ManufacturerModelName": "Secret X1"}
    write("1", PatientID="one", MagneticFieldStrength=1.494, **acme)
    write("2", PatientID="two", MagneticFieldStrength=3, **acme)
    write("3", PatientID="two", Modality="CT", Manufacturer="Acme")
    write("4", PatientID="three", Modality="CT", Manufacturer="Acme")
    write("5", PatientID="three", Modality="CT", Manufacturer="Other")
    write("6", PatientID="four", Modality="CT")
    (tmp_path / "notes.txt").write_text("no DICOM")
    found = patient_scanners(index_folder(tmp_path, DataSettings()), IDENTITY)
    key = IDENTITY.patient_key
    assert found[key("one"), "MR"] == "MR 1.5 T, no. 1"
    assert found[key("two"), "MR"] == "MR 3 T, no. 1"
    assert found[key("two"), "CT"] in ("CT, no. 1", "CT, no. 2")
    assert found[key("four"), "CT"] == "CT"
    assert (key("three"), "CT") not in found
    assert not any("Acme" in name or "X1" in name for name in found.values())


def test_weightings_belong_to_mr():
    assert {modality_of(word) for word in ("MR", "T1-weighted MR", "T2-weighted MR")} == {"MR"}
    assert modality_of("CT") == "CT"
