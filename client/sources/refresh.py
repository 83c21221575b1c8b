"""Bringing a data set's scans up to date from where they come from."""

from __future__ import annotations

from pathlib import Path

from ...common.progress import Progress, no_progress
from ..steward.data_sets import DataSet
from .dicomweb import mirror_dicomweb
from .mirror import IsOptedOut, MirrorReport, nobody
from .receiver import publish
from .settings import DicomwebSource, StoreSource

#: Folder of a mirror that the index reads.
IMAGES = "images"


def refresh(
    data_set: DataSet, *, opted_out: IsOptedOut = nobody, report: Progress = no_progress
) -> MirrorReport | None:
    """Fetch what is new and remove what is gone; nothing is to be done for a plain folder.

    Patients who opted out are not fetched, and removed where they are there.

    Scans that changed are other data for the privacy ledger: a round that is repeated on them
    is paid for again. So this belongs before a study, not between its rounds.

    Raises:
        ConfigurationError: If its entry is wrong.
        DataError: If the source cannot be used; the mirror stays as far as it got.
    """
    root = Path(data_set.folder).parent
    if data_set.kind == "dicomweb":
        return mirror_dicomweb(dicomweb_source(data_set), root, report, opted_out)
    if data_set.kind == "cstore":
        return publish(root, report, opted_out)
    return None


def dicomweb_source(data_set: DataSet) -> DicomwebSource:
    """Read the DICOMweb service of a data set.

    Raises:
        ConfigurationError: If it is wrong.
    """
    return DicomwebSource(
        url=data_set.url,
        query=dict(data_set.query),
        modalities=data_set.modalities,
        authority=Path(data_set.authority) if data_set.authority else None,
        credentials=Path(data_set.credentials) if data_set.credentials else None,
    )


def store_source(data_set: DataSet) -> StoreSource:
    """Read the C-STORE receiver of a data set.

    Raises:
        ConfigurationError: If it is wrong.
    """
    return StoreSource.from_address(data_set.url, data_set.senders)
