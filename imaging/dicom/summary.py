"""What a site has, in numbers that a person at the site may read.

Counts are exact, however small, so a summary is for the site itself. It names no patient,
file, date or free text: captions without sex and age are all it knows of an image.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ...common.counted import counted
from ...model.description import Description
from ..labels.apply import described
from ..labels.source import LabelReport
from .index import PatientScans, SiteIndex


@dataclass(frozen=True)
class IndexSummary:
    """The contents of a folder, before its pixels are decoded.

    Attributes:
        patients: Patients with at least one usable file.
        studies: Their studies.
        series: Their series.
        slices: Their slices or projections.
        captions: Patients and slices by caption, most slices first.
        words: Patients and slices by word of the vocabulary, for each kind of word: what a
            generator would learn from.
        set_aside: Files by the reason for which they are not used, most first.
        shared_studies: Studies that are there under several patient identifiers.
        labels: How the table of labels fits, if there is one.
    """

    patients: int
    studies: int
    series: int
    slices: int
    captions: dict[str, tuple[int, int]]
    words: dict[str, dict[str, tuple[int, int]]]
    set_aside: dict[str, int]
    shared_studies: int
    labels: LabelReport | None


def summarise(index: SiteIndex) -> IndexSummary:
    """Summarise a site's index."""
    series = [[s for study in p.studies for s in study.series] for p in index.patients]
    by_patient = [list(_descriptions(patient)) for patient in index.patients]
    return IndexSummary(
        patients=len(index.patients),
        studies=sum(len(patient.studies) for patient in index.patients),
        series=sum(map(len, series)),
        slices=sum(one.slices for of_patient in series for one in of_patient),
        captions=caption_counts(by_patient),
        words=word_counts(by_patient),
        set_aside={reason.value: count for reason, count in index.set_aside.most_common()},
        shared_studies=index.shared_studies,
        labels=index.labels,
    )


def shared_sentence(studies: int) -> str:
    """Say that some studies are there under several patient identifiers."""
    return (
        f"Warning: under several patient identifiers there {'is' if studies == 1 else 'are'} "
        f"{counted(studies, 'study')}. If that is one "
        "person with two, each identifier is protected as if it were a person, and the person half "
        "as well. Give the person one identifier before a study begins."
    )


def _descriptions(patient: PatientScans) -> Iterator[Description]:
    for study in patient.studies:
        for series in study.series:
            for stack in series.stacks:
                for one in stack.slices:
                    yield described(stack.description, patient.labels.get(one.path))


#: Fewer patients than this are not told in numbers that others see.
SMALLEST_CELL = 10


def shareable(summary: IndexSummary) -> IndexSummary:
    """Return a summary for other eyes: no small number, and none that tells one by difference.

    Whatever fewer than :data:`SMALLEST_CELL` patients have is left out, and all numbers are
    rounded down to a multiple of it. That hides small groups from a reader; it is no proof
    against one who knows more, as noise would be.

    Args:
        summary: Exact.
    """

    def rounded(number: int) -> int:
        return number // SMALLEST_CELL * SMALLEST_CELL

    def told(counts: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        return {
            name: (rounded(patients), rounded(slices))
            for name, (patients, slices) in counts.items()
            if patients >= SMALLEST_CELL
        }

    return IndexSummary(
        patients=rounded(summary.patients),
        studies=rounded(summary.studies),
        series=rounded(summary.series),
        slices=rounded(summary.slices),
        captions=told(summary.captions),
        words={kind: told(counts) for kind, counts in summary.words.items()},
        set_aside={
            reason: rounded(count)
            for reason, count in summary.set_aside.items()
            if count >= SMALLEST_CELL
        },
        shared_studies=rounded(summary.shared_studies),
        labels=None,
    )


def word_counts(
    by_patient: Iterable[Iterable[Description]],
) -> dict[str, dict[str, tuple[int, int]]]:
    """Count patients and images by word, for each kind of word; most patients first."""
    patients: dict[str, Counter[str]] = defaultdict(Counter)
    images: dict[str, Counter[str]] = defaultdict(Counter)
    for descriptions in by_patient:
        counts = Counter(pair for description in descriptions for pair in _words_of(description))
        for (kind, word), count in counts.items():
            images[kind][word] += count
            patients[kind][word] += 1
    return {
        kind: {
            word: (count, images[kind][word])
            for word, count in sorted(patients[kind].items(), key=lambda one: (-one[1], one[0]))
        }
        for kind in _KINDS
        if kind in patients
    }


_KINDS = (
    "modality",
    "sequence",
    "body part",
    "laterality",
    "view",
    "kernel",
    "contrast",
    "finding",
)


def _words_of(description: Description) -> Iterator[tuple[str, str]]:
    for kind, word in zip(
        _KINDS,
        (
            description.modality,
            description.sequence,
            description.place,
            description.laterality,
            description.view,
            description.kernel,
            description.contrast,
        ),
        strict=False,
    ):
        if word:
            yield kind, word
    yield from (("finding", word) for word in description.known_findings or ("(nothing stated)",))


def caption_counts(
    by_patient: Iterable[Iterable[Description]],
) -> dict[str, tuple[int, int]]:
    """Count patients and images by caption, without sex and age; most images first."""
    patients: Counter[str] = Counter()
    images: Counter[str] = Counter()
    for descriptions in by_patient:
        counts = Counter(replace(d, sex="", age_band="").caption() for d in descriptions)
        images.update(counts)
        patients.update(counts.keys())
    return {caption: (patients[caption], count) for caption, count in images.most_common()}
