"""Bringing a data set's scans up to date from where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ...common.progress import Progress, no_progress
from .dicomweb import mirror_dicomweb
from .mirror import IsOptedOut, MirrorReport, nobody
from .receiver import publish
from .settings import DicomwebSource, StoreSource

#: Folder of a mirror that the index reads.
IMAGES = "images"


class SourceEntry(Protocol):
    """A data set's entry in the site's list, as far as its source is concerned."""

    @property
    def kind(self) -> str:
        """``folder``, ``dicomweb`` or ``cstore``."""

    @property
    def folder(self) -> str:
        """The folder that the index reads; of a mirror, its ``images``."""

    @property
    def url(self) -> str:
        """Root of the DICOMweb service, or ``TITLE@HOST:PORT`` of the C-STORE receiver."""

    @property
    def query(self) -> Mapping[str, str]:
        """What studies must match, by DICOM keyword."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities of the series to mirror; all if empty."""

    @property
    def authority(self) -> str:
        """File with the certificate authority of the service; the system's if empty."""

    @property
    def credentials(self) -> str:
        """File with a bearer token or ``user:password``; none if empty."""

    @property
    def senders(self) -> tuple[str, ...]:
        """AE titles that may send."""


def refresh(
    entry: SourceEntry, *, opted_out: IsOptedOut = nobody, report: Progress = no_progress
) -> MirrorReport | None:
    """Fetch what is new and remove what is gone; nothing is to be done for a plain folder.

    Patients who opted out are not fetched, and removed where they are there.

    Scans that changed are other data for the privacy ledger: a round that is repeated on them
    is paid for again. So this belongs before a study, not between its rounds.

    Raises:
        ConfigurationError: If the entry is wrong.
        DataError: If the source cannot be used; the mirror stays as far as it got.
    """
    root = Path(entry.folder).parent
    if entry.kind == "dicomweb":
        return mirror_dicomweb(dicomweb_source(entry), root, report, opted_out)
    if entry.kind == "cstore":
        return publish(root, report, opted_out)
    return None


def dicomweb_source(entry: SourceEntry) -> DicomwebSource:
    """Read the DICOMweb service of an entry.

    Raises:
        ConfigurationError: If it is wrong.
    """
    return DicomwebSource(
        url=entry.url,
        query=dict(entry.query),
        modalities=tuple(entry.modalities),
        authority=Path(entry.authority) if entry.authority else None,
        credentials=Path(entry.credentials) if entry.credentials else None,
    )


def store_source(entry: SourceEntry) -> StoreSource:
    """Read the C-STORE receiver of an entry.

    Raises:
        ConfigurationError: If it is wrong.
    """
    return StoreSource.from_address(entry.url, tuple(entry.senders))
