"""A folder of DICOM in any order and nesting, as patients, studies, series and slices."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...common.progress import Progress, no_progress
from ...model.words.tables import few_words, shipped_words
from ...model.words.vocabulary import Vocabulary
from ..labels.source import ImageLabel, LabelReport, LabelSource, Split
from ..settings import DataSettings
from .files.labels import file_labels
from .files.remembered import RememberedHeaders
from .folder import FileEntry, list_files
from .header import FileHeader, read_header
from .quiet import quiet_pydicom
from .scanner import Scanner
from .set_aside import Reason, SetAsideError
from .stacks.build import series_stacks
from .stacks.stack import LooseFrame, Stack


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its stacks, and the files that segment it."""

    uid: str
    stacks: tuple[Stack, ...]
    segmentations: tuple[str, ...] = ()

    @property
    def slices(self) -> int:
        """Number of slices."""
        return sum(len(stack.slices) for stack in self.stacks)


@dataclass(frozen=True, slots=True)
class DicomStudy:
    """One study of a patient."""

    uid: str
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class PatientScans:
    """All scans of one patient: the unit that differential privacy protects.

    Attributes:
        patient_id: The identifier in the header. It never leaves this object: everything
            else knows the patient by an opaque key.
        studies: Studies, ordered by UID.
        files: The patient's files, segmentations included.
        scanners: What made the images.
        labels: What a source beside the headers says, by file.
        split: The side that this source wants the patient on.
    """

    patient_id: str = field(repr=False)
    studies: tuple[DicomStudy, ...]
    files: tuple[FileEntry, ...] = field(repr=False)
    scanners: frozenset[Scanner] = field(repr=False)
    labels: Mapping[str, ImageLabel] = field(default_factory=dict, repr=False)
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class SiteIndex:
    """What a site has, and how many files it set aside for which reason.

    Attributes:
        patients: All patients with a usable image, ordered by identifier.
        set_aside: Files by reason.
        shared_studies: Studies that are there under several patient identifiers.
        labels: How the source of labels fits, if there was one.
    """

    patients: tuple[PatientScans, ...]
    set_aside: Counter[Reason]
    shared_studies: int = 0
    labels: LabelReport | None = None


def index_folder(
    folder: Path,
    settings: DataSettings,
    *,
    labels: LabelSource | None = None,
    cache: Path | None = None,
    words: Vocabulary | None = None,
    progress: Progress = no_progress,
) -> SiteIndex:
    """Index a folder of DICOM files by their headers.

    Args:
        folder: Any nesting and file names; other files are counted and ignored.
        settings: What to accept.
        labels: What tells the findings, splits and reports of images, if anything but headers does.
        cache: Folder that remembers headers, so that the next run reads only files that are
            new or have changed. It holds identifiers, encrypted, and the key beside them: keep
            it where the scans are.
        words: Words that headers may select; those that ship with fedscan by default.
        progress: Told how many files are read.

    Returns:
        The index; the same for every order and naming of the files.

    Raises:
        DataError: If the folder does not exist.

    >>> import fedscan
    >>> found = fedscan.index_folder(hospitals / "hospital-a", fedscan.DataSettings())
    >>> len(found.patients), dict(found.set_aside)
    (8, {})
    """
    files, words = list_files(folder), words or shipped_words()
    memory = RememberedHeaders(cache, settings, words) if cache is not None else None
    return index_files(
        folder,
        files,
        settings,
        labels=labels,
        words=words,
        memory=memory,
        progress=progress,
    )


def index_files(
    folder: Path,
    files: Sequence[FileEntry],
    settings: DataSettings,
    *,
    labels: LabelSource | None = None,
    words: Vocabulary | None = None,
    memory: RememberedHeaders | None = None,
    opted_out: Callable[[str], bool] = lambda _: False,
    progress: Progress = no_progress,
) -> SiteIndex:
    """Index the given files of a folder; see :func:`index_folder`.

    Of patients who opted out nothing is listed, nor remembered.

    Without words, those of the frame are selected: where the files' place and kind is wanted.
    """
    words = words or few_words()
    set_aside: Counter[Reason] = Counter()
    images: set[tuple[str, str, str]] = set()
    by_patient: dict[str, list[tuple[FileEntry, FileHeader]]] = defaultdict(list)
    with quiet_pydicom():
        for number, entry in enumerate(files, start=1):
            header = _header(folder, entry, settings, words, memory, opted_out)
            if isinstance(header, Reason):
                set_aside[header] += 1
            # A UID that another patient's file has too must not cost anybody an image.
            elif header.sop_uid and _image(header) in images:
                set_aside[Reason.DUPLICATE] += 1
            else:
                images.add(_image(header))
                by_patient[header.patient_id].append((entry, header))
            progress("files", number, len(files))
    if memory is not None:
        memory.save(files)
    patients = [_patient(key, headers, set_aside) for key, headers in sorted(by_patient.items())]
    if orphans := sum(_orphans(patient, by_patient[patient.patient_id]) for patient in patients):
        set_aside[Reason.ORPHAN] += orphans
    patients, report = [patient for patient in patients if patient.studies], None
    if labels is not None:
        labelling = labels.begin()
        for place, one in enumerate(patients):
            image_labels = file_labels(by_patient[one.patient_id], labelling)
            patients[place] = replace(
                one, labels=image_labels, split=labelling.split(one.patient_id)
            )
        report = labelling.report()
    return SiteIndex(tuple(patients), set_aside, _shared_studies(patients), report)


def _image(header: FileHeader) -> tuple[str, str, str]:
    return header.patient_id, header.series_uid, header.sop_uid


def _shared_studies(patients: Iterable[PatientScans]) -> int:
    owners = Counter(study.uid for patient in patients for study in patient.studies if study.uid)
    return sum(count > 1 for count in owners.values())


def _header(
    folder: Path,
    entry: FileEntry,
    settings: DataSettings,
    words: Vocabulary,
    memory: RememberedHeaders | None,
    opted_out: Callable[[str], bool],
) -> FileHeader | Reason:
    """Return one file's header, or why it is set aside; from memory where it has not changed."""
    header = memory.find(entry) if memory is not None else None
    if header is None:
        try:
            header = read_header(folder / entry.path, settings, words)
        except SetAsideError as error:
            header = error.reason
        if isinstance(header, FileHeader) and opted_out(header.patient_id):
            header = Reason.OPTED_OUT
        if memory is not None:
            memory.remember(entry, header)
    return header


def _orphans(patient: PatientScans, headers: list[tuple[FileEntry, FileHeader]]) -> int:
    """Count segmentations that belong to none of the patient's series."""
    segmentations = {
        path for study in patient.studies for s in study.series for path in s.segmentations
    }
    return sum(
        header.is_segmentation and entry.path not in segmentations for entry, header in headers
    )


def _patient(
    patient_id: str, headers: list[tuple[FileEntry, FileHeader]], set_aside: Counter[Reason]
) -> PatientScans:
    by_series: dict[tuple[str, str], list[tuple[FileEntry, FileHeader]]] = defaultdict(list)
    segmentations: list[tuple[str, FileHeader]] = []
    for entry, header in headers:
        if header.is_segmentation:
            segmentations.append((entry.path, header))
        else:
            by_series[header.study_uid, header.series_uid].append((entry, header))
    studies: dict[str, list[Series]] = defaultdict(list)
    for (study_uid, series_uid), members in sorted(by_series.items()):
        result = series_stacks(
            [LooseFrame(entry.path, h, n) for entry, h in members for n in range(len(h.frames))]
        )
        set_aside.update(result.set_aside)
        if not result.stacks:
            continue
        studies[study_uid].append(
            Series(
                uid=series_uid,
                stacks=result.stacks,
                segmentations=_segmentations(series_uid, members, segmentations),
            )
        )
    image_paths = {
        item.path
        for series in studies.values()
        for one in series
        for stack in one.stacks
        for item in stack.slices
    }
    return PatientScans(
        patient_id=patient_id,
        studies=tuple(DicomStudy(uid, tuple(series)) for uid, series in sorted(studies.items())),
        files=tuple(entry for entry, _ in headers),
        scanners=frozenset(
            header.scanner for entry, header in headers if entry.path in image_paths
        ),
    )


def _segmentations(
    series_uid: str,
    members: list[tuple[FileEntry, FileHeader]],
    candidates: Iterable[tuple[str, FileHeader]],
) -> tuple[str, ...]:
    """Find the segmentations of a series: by reference, else by a shared frame of reference."""
    frames = {header.frame_of_reference for _, header in members} - {""}
    return tuple(
        path
        for path, header in sorted(candidates, key=lambda item: item[1].sop_uid)
        if series_uid in header.segments
        or (not header.segments and header.frame_of_reference in frames)
    )
