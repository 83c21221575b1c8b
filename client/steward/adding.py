"""Adding a data set: its source is looked at before anything is kept, and mirrored at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...common.progress import Progress, no_progress
from ...errors import ConfigurationError
from ...imaging.labels.source import LabelReport
from ..sources.mirror import MirrorReport
from ..sources.pacs import Pacs
from ..sources.refresh import dicomweb_source, store_source
from .data_sets import DataSet, Registry
from .home import SiteHome
from .labelling import labels_fit
from .overlap import shared_patients
from .refreshing import refresh_mirror


@dataclass(frozen=True, kw_only=True)
class NewDataSet:
    """What a steward says of a new data set; its scans come from one of three places.

    Attributes:
        name: What it is called at this site.
        folder: Folder of its DICOM files.
        dicomweb: Root of the DICOMweb service that it is mirrored from.
        receive: ``TITLE@HOST:PORT`` at which it is received by C-STORE.
        query: What the service's studies must match, by DICOM keyword.
        modalities: Modalities of the series to mirror; all if empty.
        authority: File with the certificate authority of the service.
        credentials: File with what the service asks for.
        senders: AE titles that may send.
        labels: Table that tells the images' findings, splits and reports.
        labels_by: What its rows are matched by; by its most exact name if empty.

    Raises:
        ConfigurationError: If there is not exactly one place.
    """

    name: str
    folder: Path | None = None
    dicomweb: str = ""
    receive: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    modalities: tuple[str, ...] = ()
    authority: Path | None = None
    credentials: Path | None = None
    senders: tuple[str, ...] = ()
    labels: Path | None = None
    labels_by: str = ""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.folder, self.dicomweb, self.receive))) != 1:
            raise ConfigurationError(
                "A data set comes from one place.", hint="Give --folder, --dicomweb or --receive."
            )

    def entry(self, home: SiteHome) -> DataSet:
        """Return its entry in the site's list; what is fetched lies in the home."""
        return DataSet(
            name=self.name,
            kind="dicomweb" if self.dicomweb else "cstore" if self.receive else "folder",
            folder=str(self.folder or home.state(self.name) / "mirror" / "images"),
            url=self.dicomweb or self.receive,
            query=self.query,
            modalities=self.modalities,
            authority=_absolute(self.authority),
            credentials=_absolute(self.credentials),
            senders=self.senders,
            labels=_absolute(self.labels),
            labels_by=self.labels_by,
        )


@dataclass(frozen=True, kw_only=True)
class AddedDataSet:
    """A data set that was added.

    Attributes:
        entry: Its entry in the site's list.
        mirror: What was fetched at once; ``None`` if it is no mirror of a service.
        labels: How its table fits; ``None`` without one, or while there are no scans.
        patients_elsewhere: Patients that are in another data set, too, by its name: each of the
            two ledgers knows only half of what they spend.
    """

    entry: DataSet
    mirror: MirrorReport | None
    labels: LabelReport | None
    patients_elsewhere: Mapping[str, int]


def add_data_set(
    home: SiteHome, request: NewDataSet, *, report: Progress = no_progress
) -> AddedDataSet:
    """Add a data set; nothing is trained on it before a study is approved.

    Args:
        home: The site's home.
        request: What it is, and where its scans come from.
        report: Told what is done and how much of it.

    Raises:
        ConfigurationError: If the name, an address, a query or a title cannot be one.
        DataError: If the name or its scans are taken, the table fits no image, or the source
            cannot be reached. Nothing is added then, but a service that fails while scans are
            fetched: its data set is refreshed later.
    """
    entry = request.entry(home)
    # Before anything is kept: the address, the titles, and whether the service answers at all.
    if entry.kind == "dicomweb":
        with Pacs(dicomweb_source(entry)) as pacs:
            next(pacs.studies(), None)
    elif entry.kind == "cstore":
        store_source(entry)
    if entry.kind != "folder":
        Path(entry.folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    # A folder's table is looked at before anything is kept; a mirror has no scans yet.
    fit = labels_fit(entry, report=report) if entry.kind == "folder" else None
    Registry(home).add(entry)
    home.log.append("data-added", data=entry.name, kind=entry.kind)
    mirror = refresh_mirror(home, entry, report=report) if entry.kind == "dicomweb" else None
    return AddedDataSet(
        entry=entry,
        mirror=mirror,
        labels=labels_fit(entry, report=report) if mirror else fit,
        patients_elsewhere=shared_patients(home, entry, report=report),
    )


def _absolute(path: Path | None) -> str:
    return str(path.resolve()) if path else ""
