"""Patients who are in two data sets: each ledger would know only half of what they spend."""

from __future__ import annotations

from pathlib import Path

from ...common.progress import Progress, no_progress
from ...errors import DataError
from ...imaging.dicom.folder import list_files
from ...imaging.dicom.index import index_files
from ...imaging.settings import DataSettings
from .data_sets import DataSet, Registry
from .home import SiteHome


def shared_patients(
    home: SiteHome, data_set: DataSet, *, report: Progress = no_progress
) -> dict[str, int]:
    """Count the patients that a data set has in common with each other one, by its name.

    Patients are told by the identifier in their headers; one under two identifiers is not found,
    nor one in a data set whose folder cannot be read.

    Args:
        home: The site's home.
        data_set: The data set.
        report: Told how many headers are read.

    Returns:
        Only data sets that share somebody.
    """
    own = patients_in(Path(data_set.folder), report)
    others = Registry(home).data_sets().values() if own else ()
    counts = {
        other.name: len(own & patients_in(Path(other.folder), report))
        for other in others
        if other.name != data_set.name
    }
    return {name: count for name, count in counts.items() if count}


def patients_in(folder: Path, report: Progress = no_progress) -> set[str]:
    """Return the identifiers of a folder's patients; none if there is no such folder."""
    try:
        files = list_files(folder)
    except DataError:
        return set()
    index = index_files(folder, files, DataSettings(), progress=report)
    return {patient.patient_id for patient in index.patients}
