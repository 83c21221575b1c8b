"""Mirroring what a query selects at a DICOMweb service: only what changed, resumable."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...common.progress import Progress
from ...errors import DataError
from ...imaging.dicom.files.patient import patient_of
from ...imaging.dicom.quiet import quiet_pydicom
from .instance import Instance, instance_of, new_file, place
from .mirror import IsOptedOut, Mirror, MirrorReport, nobody
from .pacs import NotRetrievedError, Pacs, PacsEntry
from .settings import DicomwebSource

_PATIENT_ID, _MODALITY = "00100020", "00080060"
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"
#: UIDs become part of addresses: nothing but their own characters, and some that PACS invent.
_UID = re.compile(r"[0-9A-Za-z._-]{1,64}")
#: Room that must stay on the disk: ledger and audit log need it more.
_LEAST_FREE = 512 << 20
_HOPELESS_AFTER = 20


def mirror_dicomweb(
    source: DicomwebSource, root: Path, report: Progress, opted_out: IsOptedOut = nobody
) -> MirrorReport:
    """Bring a mirror up to date with a DICOMweb service.

    Instances that are there are not fetched again; those that the query no longer selects are
    removed once the service has listed everything. It can be killed at any moment and then goes
    on where it was. One instance at a time passes through memory, in pieces.

    Args:
        source: The service, and what of it is wanted.
        root: Folder of the mirror.
        report: Told how many studies are done.
        opted_out: Whose studies are not fetched, and removed if they are there.

    Raises:
        ConfigurationError: If credentials or the authority's file cannot be read.
        DataError: If the service cannot be used, has nothing that matches, or the disk is full.
            What the mirror has then stays.
    """
    with quiet_pydicom(), Mirror.open(root) as mirror, Pacs(source) as pacs:
        work = _Mirroring(
            source=source,
            mirror=mirror,
            pacs=pacs,
            listing=mirror.begin_listing(),
            opted_out=opted_out,
            withheld=mirror.remove_patients(opted_out),
        )
        work.list_studies()
        total = mirror.count_listed()
        for number, (study, owner) in enumerate(mirror.listed_studies(), start=1):
            work.bring_up_to_date(study, owner)
            report("studies", number, total)
        removals = mirror.remove_unlisted(work.listing)
        mirror.sweep()
        studies, instances = mirror.count()
        if not instances:
            raise DataError(
                f"The PACS has studies that match, but none of their series could be mirrored "
                f"({work.failed_count} instances failed).",
                hint="Check the modalities asked for, and the PACS's own log.",
            )
        return MirrorReport(
            studies, instances, work.fetched_count, removals, work.failed_count, work.withheld
        )


@dataclass(kw_only=True)
class _Mirroring:
    source: DicomwebSource
    mirror: Mirror
    pacs: Pacs
    listing: int
    opted_out: IsOptedOut
    withheld: int
    fetched_count: int = field(default=0, init=False)
    failed_count: int = field(default=0, init=False)

    def list_studies(self) -> None:
        for entry in self.pacs.studies():
            self._list(entry)
        if not self.mirror.count_listed():
            conditions = ", ".join(self.source.query) or "no condition"
            raise DataError(
                f"The PACS has no study that matches ({conditions}).",
                hint="Try the query without its conditions. What was mirrored before was kept.",
            )
        # A study can slip through between two pages when others come or go meanwhile.
        for study in self.mirror.missing_studies():
            for entry in self.pacs.studies({"StudyInstanceUID": study}):
                self._list(entry)

    def bring_up_to_date(self, study: str, owner: str) -> None:
        self.mirror.note_study(study, owner, self.listing)
        for instance in self._instances(study):
            if self.mirror.has(instance) or self._fetch(instance):
                self.mirror.note(instance, self.listing)

    def _list(self, entry: PacsEntry) -> None:
        study = _text(entry, _STUDY)
        if _UID.fullmatch(study):
            patient = _text(entry, _PATIENT_ID)
            if self.opted_out(patient):
                return
            self.mirror.list_study(study, hashlib.sha256(patient.encode()).hexdigest())

    def _instances(self, study: str) -> Iterator[Instance]:
        for series_entry in self.pacs.series(study):
            series, modality = _text(series_entry, _SERIES), _text(series_entry, _MODALITY)
            if self.source.modalities and modality not in self.source.modalities:
                continue
            for entry in self.pacs.instances(study, series) if _UID.fullmatch(series) else ():
                uid = _text(entry, _INSTANCE)
                if _UID.fullmatch(uid):
                    yield Instance(study, series, uid)

    def _fetch(self, instance: Instance) -> bool:
        if shutil.disk_usage(self.mirror.root).free < _LEAST_FREE:
            raise DataError(
                f"There is less than {_LEAST_FREE >> 20} MiB left on the disk of the mirror.",
                hint="Make room, or narrow the query; then run it again: it goes on where it was.",
            )
        file = new_file(self.mirror.incoming)
        try:
            self.pacs.retrieve(instance, file)
            if instance_of(file) != instance:
                raise NotRetrievedError("Another instance was given than the one asked for.")
            # A list need not tell whose a study is; the file does.
            if self.opted_out(patient_of(file)):
                self.withheld += 1
                return False
            place(file, self.mirror.images, instance)
        except NotRetrievedError:
            self.failed_count += 1
            if self.failed_count >= _HOPELESS_AFTER and not self.fetched_count:
                raise DataError(
                    f"The PACS lists instances but gave none of the first {self.failed_count}.",
                    hint="Its WADO-RS may be off or not allowed for this user; see its log.",
                ) from None
            return False
        finally:
            file.unlink(missing_ok=True)
        self.fetched_count += 1
        return True


def _text(entry: PacsEntry, tag: str) -> str:
    """The first value of an element in DICOM JSON; empty if there is none."""
    element = entry.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]) if isinstance(values, list) and values else ""
