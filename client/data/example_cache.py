"""The disk cache of a site's examples: one file per patient and a manifest."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from ...common.files import write_atomically
from ...common.locks import in_turn
from ...common.progress import Progress
from ...errors import DataError
from ...imaging.dicom.folder import FileEntry, digest_of, list_files
from ...imaging.dicom.index import PatientScans, index_files
from ...imaging.dicom.quiet import quiet_pydicom
from ...imaging.dicom.segmentation import read_segmentation
from ...imaging.dicom.set_aside import Reason
from ...imaging.examples.series import series_examples
from ...imaging.labels.apply import labels_digest
from ...imaging.labels.source import LabelReport, LabelSource, Split
from ...imaging.settings import DataSettings
from .identity import DatasetIdentity
from .opt_out import OptOutList
from .patient_file import PatientFile, write_patient

#: Raised whenever the same scans would give other examples.
_FORMAT = "1"
_MANIFEST = "manifest.json"
_NOBODY = OptOutList()
#: Stands for a draw where the site's labels decide.
_SIDE = {Split.HELD_OUT: -1.0, Split.TRAIN: 2.0}


@dataclass(frozen=True)
class CachedPatient:
    """One line of the manifest.

    Attributes:
        key: Opaque key of the patient.
        draw: Uniform number in [0, 1) that decides between training and hold-out; below 0 for
            patients whom the site's labels hold out, above 1 for those they want trained on.
        examples: Number of examples.
        size: Size of the patient's file in bytes.
        source: Digest of the patient's scans and the settings.
    """

    key: str
    draw: float
    examples: int
    size: int
    source: str


@dataclass(frozen=True)
class ExampleCache:
    """Cached examples of one folder under one set of settings.

    Attributes:
        root: Folder of the cache.
        patients: All patients with examples, in a fixed order.
        set_aside: Files (or blank slices) that were set aside, by reason.
        shared_studies: Studies that are there under several patient identifiers.
        labels: How the site's labels fit, if it has any.
    """

    root: Path
    patients: tuple[CachedPatient, ...]
    set_aside: Counter[Reason]
    shared_studies: int = 0
    labels: LabelReport | None = None

    def patient(self, key: str) -> PatientFile:
        """Open one patient's file."""
        return PatientFile.read(_path(self.root, key))


def open_cache(
    folder: Path,
    settings: DataSettings,
    cache_dir: Path,
    identity: DatasetIdentity,
    report: Progress,
    *,
    labels: LabelSource | None = None,
    opt_outs: OptOutList = _NOBODY,
) -> ExampleCache:
    """Open the cache of a folder, and bring it up to date with the files and what decides on them.

    Only patients whose files or labels changed are decoded again. Whenever the process is killed,
    the patients finished so far stay.
    """
    decides = hashlib.sha256(_settings_digest(settings).encode() + identity.salt).hexdigest()
    root = cache_dir / "examples" / decides[:16]
    files = list_files(folder)
    beside = (labels.digest if labels else "", opt_outs.state)
    state = digest_of(files, decides, *filter(None, beside))
    if (cache := _load(root, state)) is not None:
        return cache
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with in_turn(root / ".lock"):
        # Another process may have built it while this one waited.
        return _load(root, state) or _build(
            folder, files, settings, root, identity, state, report, labels, opt_outs
        )


def _settings_digest(settings: DataSettings) -> str:
    """Digest of what decides about examples; the hold-out does not.

    Settings that came later count where they have another value than before, so that what an
    earlier release stored and paid for keeps its name.
    """
    fields = {k: v for k, v in asdict(settings).items() if k != "holdout_fraction"}
    if fields["captions"] == "words":
        del fields["captions"]
    return hashlib.sha256(json.dumps([_FORMAT, fields], sort_keys=True).encode()).hexdigest()


def _path(root: Path, key: str) -> Path:
    return root / f"{key}.safetensors"


def _load(root: Path, state: str) -> ExampleCache | None:
    """Load the manifest if it describes these files and everything it lists is there."""
    try:
        manifest = json.loads((root / _MANIFEST).read_text())
        patients = tuple(CachedPatient(**line) for line in manifest["patients"])
        set_aside = Counter({Reason(k): int(v) for k, v in manifest["set_aside"].items()})
        whole = all(_path(root, p.key).stat().st_size == p.size for p in patients)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if manifest["state"] != state or not whole:
        return None
    fit = manifest.get("labels")
    labels = LabelReport(**fit) if fit else None
    return ExampleCache(root, patients, set_aside, manifest.get("shared_studies", 0), labels)


def _build(
    folder: Path,
    files: tuple[FileEntry, ...],
    settings: DataSettings,
    root: Path,
    identity: DatasetIdentity,
    state: str,
    report: Progress,
    labels: LabelSource | None,
    opt_outs: OptOutList,
) -> ExampleCache:
    index = index_files(folder, files, settings, labels=labels, progress=report)
    set_aside = Counter(index.set_aside)
    found = [scans for scans in index.patients if not opt_outs.has(scans.patient_id)]
    of_found = sum(len(scans.files) for scans in found)
    set_aside[Reason.OPTED_OUT] = sum(len(scans.files) for scans in index.patients) - of_found
    patients = []
    with quiet_pydicom():
        for number, scans in enumerate(found, start=1):
            key = identity.patient_key(scans.patient_id)
            patient_file = _store(folder, scans, settings, _path(root, key))
            set_aside.update(patient_file.set_aside)
            if len(patient_file):
                patients.append(
                    CachedPatient(
                        key=key,
                        draw=_draw(scans.patient_id) if scans.split is None else _SIDE[scans.split],
                        examples=len(patient_file),
                        size=patient_file.path.stat().st_size,
                        source=patient_file.source,
                    )
                )
            report("patients", number, len(found))
    patients.sort(key=lambda patient: (patient.draw, patient.key))
    _remove_others(root, {_path(root, identity.patient_key(p.patient_id)) for p in found})
    set_aside = +set_aside
    manifest = {
        "state": state,
        "patients": [asdict(patient) for patient in patients],
        "set_aside": {reason.value: count for reason, count in set_aside.items()},
        "shared_studies": index.shared_studies,
        "labels": asdict(index.labels) if index.labels else None,
    }
    write_atomically(root / _MANIFEST, json.dumps(manifest).encode())
    return ExampleCache(root, tuple(patients), set_aside, index.shared_studies, index.labels)


def _store(folder: Path, scans: PatientScans, settings: DataSettings, path: Path) -> PatientFile:
    """Return a patient's file, made anew unless it was made from the very same scans."""
    said = labels_digest(scans.labels, reports=settings.captions == "text")
    source = digest_of(scans.files, _settings_digest(settings), *filter(None, [said]))
    try:
        if (patient_file := PatientFile.read(path)).source == source:
            return patient_file
    except DataError:
        pass  # none yet, or one that a crash cut short
    examples, set_aside = [], Counter[Reason]()
    # One file may segment several series of a patient; few are kept, for they are whole volumes.
    segmentation = lru_cache(maxsize=4)(read_segmentation)
    for study in scans.studies:
        for series in study.series:
            result = series_examples(folder, series, settings, segmentation, scans.labels)
            examples += result.examples
            set_aside.update(result.set_aside)
    write_patient(path, examples, source=source, set_aside=set_aside, side=settings.image_size)
    return PatientFile.read(path)


def _draw(patient_id: str) -> float:
    """Draw a patient's fixed uniform number from its identifier alone.

    It is not salted: runs with separate state folders, such as the non-private run that a
    private one is compared with, must hold out the same patients and list them alike. The
    number stays at the site.
    """
    digest = hashlib.blake2b(patient_id.encode(), person=b"fedscan-holdout", digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64


def _remove_others(root: Path, current: set[Path]) -> None:
    """Remove files of patients who are gone, and what killed processes left behind."""
    for path in (*root.glob("*.safetensors"), *root.glob(".*.tmp")):
        if path not in current:
            path.unlink(missing_ok=True)
