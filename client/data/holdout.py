"""Which patients train and which are kept for evaluation, before any pixel is decoded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ...common.counted import counted
from ...imaging.dicom.index import PatientScans, SiteIndex
from ...imaging.labels.source import Split


@dataclass(frozen=True)
class PatientNumbers:
    """How many patients a data set has, exactly: for the site's own eyes.

    Attributes:
        usable: Patients with scans that can be used.
        training: Those of them that a study would train on.
    """

    usable: int
    training: int

    def sentence(self, fraction: float) -> str:
        """Say how many train.

        Args:
            fraction: Share of patients that the study keeps from training.
        """
        others = self.usable - self.training
        return (
            f"{self.training} of {counted(self.usable, 'patient')} would be trained on; "
            f"{others or 'none'} {'are' if others > 1 else 'is'} kept for evaluation "
            f"(data.holdout_fraction = {fraction:g})."
        )


def count_patients(index: SiteIndex, fraction: float) -> PatientNumbers:
    """Count patients by their headers; a few may yet turn out to have nothing but blank slices.

    Args:
        index: The site's index.
        fraction: Share of patients that the study keeps from training.
    """
    training = len(training_scans(index, fraction))
    return PatientNumbers(usable=len(index.patients), training=training)


def training_scans(index: SiteIndex, fraction: float) -> list[PatientScans]:
    """Return the patients that a study would train on, by their headers.

    Args:
        index: The site's index.
        fraction: Share of patients that the study keeps from training.
    """
    return [
        patient
        for patient in index.patients
        if (
            patient.split == Split.TRAIN
            if patient.split
            else holdout_draw(patient.patient_id) >= fraction
        )
    ]


def holdout_draw(patient_id: str) -> float:
    """Draw a patient's fixed uniform number from its identifier alone.

    It is not salted: runs with separate state folders, such as the non-private run that a
    private one is compared with, must hold out the same patients and list them alike. The
    number stays at the site.

    Args:
        patient_id: The identifier, as the headers have it.
    """
    digest = hashlib.blake2b(patient_id.encode(), person=b"fedscan-holdout", digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64
