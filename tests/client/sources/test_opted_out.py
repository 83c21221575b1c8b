"""Mirrors and patients who opted out: what is there goes, and what comes is not taken in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fedscan.client.sources.instance import instance_of, place
from fedscan.client.sources.mirror import Mirror
from fedscan.client.sources.receiver import publish
from fedscan.common.progress import no_progress
from fedscan.imaging.dicom.files.patient import patient_of

PIXELS = np.zeros((16, 16), np.uint8)


@pytest.fixture
def arrive(tmp_path: Path, write_image):
    """Let an instance of each patient arrive: ``arrive("a", "b")``."""

    def write(*patients: str) -> None:
        for patient in patients:
            uid = {"StudyInstanceUID": f"1.2.{ord(patient[0])}", "PatientID": patient}
            file = write_image(tmp_path / "new.dcm", PIXELS, **uid)
            instance = instance_of(file)
            assert instance is not None
            place(file, tmp_path / "arrived", instance)

    return write


def patients(folder: Path) -> set[str]:
    return {patient_of(path) for path in folder.rglob("*.dcm")}


def test_what_arrives_of_them_is_dropped_and_what_was_there_is_removed(tmp_path: Path, arrive):
    arrive("ann", "bob", "cho")
    assert publish(tmp_path, no_progress).instances == 3
    arrive("ann", "dan", "eve")
    done = publish(tmp_path, no_progress, {"ann", "dan"}.__contains__)
    assert (done.fetched, done.opted_out, done.instances) == (1, 3, 3)
    assert patients(tmp_path / "images") == {"bob", "cho", "eve"}
    assert patients(tmp_path / "arrived") == set()


def test_a_mirror_forgets_them_and_keeps_all_others(tmp_path: Path, arrive):
    arrive("ann", "bob")
    publish(tmp_path, no_progress)
    (tmp_path / "images" / "notes.txt").write_text("no DICOM")
    with Mirror.open(tmp_path) as mirror:
        assert mirror.remove_patients("ann".__eq__) == 1
        assert mirror.count() == (1, 1)
        assert mirror.remove_patients("ann".__eq__) == 0
    assert patients(tmp_path / "images") == {"bob"}
    assert (tmp_path / "images" / "notes.txt").exists()
