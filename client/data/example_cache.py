"""The disk cache of a site's examples: one file per patient and a manifest."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from ...common.files import write_atomically
from ...common.locks import in_turn
from ...common.progress import Progress, no_progress
from ...imaging.dicom.files.remembered import RememberedHeaders
from ...imaging.dicom.folder import FileEntry, digest_of, list_files, touches_of
from ...imaging.dicom.index import PatientScans, SiteIndex, index_files
from ...imaging.dicom.quiet import quiet_pydicom
from ...imaging.dicom.segmentation import read_segmentation
from ...imaging.dicom.set_aside import Reason
from ...imaging.examples.series import series_examples
from ...imaging.labels.source import LabelReport, LabelSource, Split
from ...imaging.settings import DataSettings
from ...model.words.vocabulary import Vocabulary
from .example_origin import (
    PAID_FORMAT,
    made_from,
    origin_of,
    patient_path,
    place_of_examples,
    settings_digest,
)
from .holdout import holdout_draw
from .identity import DatasetIdentity
from .opt_out import OptOutList
from .patient_file import PatientFile, write_patient

_MANIFEST = "manifest.json"
_NOBODY = OptOutList()


@dataclass(frozen=True)
class CachedPatient:
    """One line of the manifest.

    Attributes:
        key: Opaque key of the patient.
        draw: Uniform number in [0, 1) that decides between training and hold-out.
        examples: Number of examples.
        size: Size of the patient's file in bytes.
        source: Digest of the names, sizes and times of the scans, as earlier releases paid by it.
        split: The side that the site's labels want the patient on; empty if they leave it open.
        content: Digest of the examples themselves.
    """

    key: str
    draw: float
    examples: int
    size: int
    source: str
    content: str
    split: str = ""

    def is_held_out(self, fraction: float) -> bool:
        """Whether the patient is kept from training, with this share where labels leave it open."""
        return self.split == Split.HELD_OUT if self.split else self.draw < fraction


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
        return PatientFile.read(patient_path(self.root, key))


def open_cache(
    folder: Path,
    settings: DataSettings,
    words: Vocabulary,
    cache_dir: Path,
    identity: DatasetIdentity,
    report: Progress,
    *,
    labels: LabelSource | None = None,
    opt_outs: OptOutList = _NOBODY,
) -> ExampleCache:
    """Open the cache of a folder, and bring it up to date with the files, labels and opt-outs.

    Only patients whose files or labels changed are decoded again. Whenever the process is killed,
    the patients finished so far stay.
    """
    decides, root = place_of_examples(settings, words, cache_dir, identity)
    files = list_files(folder)
    beside = (labels.digest if labels else "", opt_outs.state)
    state = digest_of(files, decides, touches_of(files), *filter(None, beside))
    if (cache := _load(root, state)) is not None:
        return cache
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with in_turn(root / ".lock"):
        # Another process may have built it while this one waited.
        if (cache := _load(root, state)) is not None:
            return cache
        index = site_index(
            folder,
            settings,
            words,
            cache_dir,
            identity,
            files=files,
            labels=labels,
            opt_outs=opt_outs,
            report=report,
        )
        return _build(folder, index, settings, words, root, identity, state, report)


def site_index(
    folder: Path,
    settings: DataSettings,
    words: Vocabulary,
    cache_dir: Path,
    identity: DatasetIdentity,
    *,
    files: tuple[FileEntry, ...] | None = None,
    labels: LabelSource | None = None,
    opt_outs: OptOutList = _NOBODY,
    report: Progress = no_progress,
) -> SiteIndex:
    """Index a site's folder; only headers of files that are new or have changed are read.

    Args:
        folder: The site's folder.
        settings: What files are accepted.
        words: Words that headers may select.
        cache_dir: The site's cache. Headers are remembered in it under a key of the identity.
        identity: The data set's.
        files: The folder's files, where they are listed already.
        labels: What tells more than the headers, if anything does.
        opt_outs: Patients who are left out; nothing of their headers is remembered.
        report: Told how many files are read.
    """
    place, key = cache_dir / opt_outs.headers_folder, identity.key_of("headers")
    memory = RememberedHeaders(place, settings, words, key)
    entries = list_files(folder) if files is None else files
    return index_files(
        folder,
        entries,
        settings,
        words=words,
        memory=memory,
        labels=labels,
        opted_out=opt_outs.has,
        progress=report,
    )


def _load(root: Path, state: str) -> ExampleCache | None:
    """Load the manifest if it describes these files and everything it lists is there."""
    try:
        manifest = json.loads((root / _MANIFEST).read_text(encoding="utf-8"))
        patients = tuple(CachedPatient(**line) for line in manifest["patients"])
        set_aside = Counter({Reason(k): int(v) for k, v in manifest["set_aside"].items()})
        whole = all(patient_path(root, p.key).stat().st_size == p.size for p in patients)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if manifest["state"] != state or not whole:
        return None
    fit = manifest.get("labels")
    labels = LabelReport.from_plain(fit) if fit else None
    return ExampleCache(root, patients, set_aside, manifest.get("shared_studies", 0), labels)


def _build(
    folder: Path,
    index: SiteIndex,
    settings: DataSettings,
    words: Vocabulary,
    root: Path,
    identity: DatasetIdentity,
    state: str,
    report: Progress,
) -> ExampleCache:
    set_aside = Counter(index.set_aside)
    patients, paid_by = [], settings_digest(settings, words, PAID_FORMAT)
    with quiet_pydicom():
        for number, scans in enumerate(index.patients, start=1):
            key = identity.patient_key(scans.patient_id)
            patient_file = _store(folder, scans, settings, words, patient_path(root, key))
            set_aside.update(patient_file.set_aside)
            if len(patient_file):
                patients.append(
                    CachedPatient(
                        key=key,
                        draw=holdout_draw(scans.patient_id),
                        examples=len(patient_file),
                        size=patient_file.path.stat().st_size,
                        source=digest_of(scans.files, paid_by),
                        content=patient_file.content,
                        split=scans.split or "",
                    )
                )
            report("patients", number, len(index.patients))
    patients.sort(key=lambda patient: (patient.draw, patient.key))
    _remove_others(
        root, {patient_path(root, identity.patient_key(p.patient_id)) for p in index.patients}
    )
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


def _store(
    folder: Path, scans: PatientScans, settings: DataSettings, words: Vocabulary, path: Path
) -> PatientFile:
    """Return a patient's file, made anew unless it was made from the very same scans."""
    origin = origin_of(scans, settings, words)
    if (patient_file := made_from(path, origin)) is not None:
        return patient_file
    examples, set_aside = [], Counter[Reason]()
    # One file may segment several series of a patient; few are kept, for they are whole volumes.
    segmentation = lru_cache(maxsize=4)(read_segmentation)
    for study in scans.studies:
        for series in study.series:
            result = series_examples(folder, series, settings, segmentation, scans.labels)
            examples += result.examples
            set_aside.update(result.set_aside)
    side = settings.image_size
    write_patient(path, examples, **origin, set_aside=set_aside, side=side)
    return PatientFile.read(path)


def _remove_others(root: Path, current: set[Path]) -> None:
    """Remove files of patients who are gone, and what killed processes left behind."""
    for path in (*root.glob("*.safetensors"), *root.glob(".*.tmp")):
        if path not in current:
            path.unlink(missing_ok=True)
