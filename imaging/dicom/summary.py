"""What a site has, in numbers that a person at the site may read.

Counts are exact, however small, so a summary is for the site itself. It names no patient,
file, date or free text: captions without sex and age are all it knows of an image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ...model.description import Description
from .index import SiteIndex


@dataclass(frozen=True)
class IndexSummary:
    """The contents of a folder, before its pixels are decoded.

    Attributes:
        patients: Patients with at least one usable file.
        studies: Their studies.
        series: Their series.
        slices: Their slices or projections.
        captions: Patients and slices by caption, most slices first.
        set_aside: Files by the reason for which they are not used, most first.
    """

    patients: int
    studies: int
    series: int
    slices: int
    captions: dict[str, tuple[int, int]]
    set_aside: dict[str, int]


def summarise(index: SiteIndex) -> IndexSummary:
    """Summarise a site's index."""
    series = [[s for study in p.studies for s in study.series] for p in index.patients]
    return IndexSummary(
        patients=len(index.patients),
        studies=sum(len(patient.studies) for patient in index.patients),
        series=sum(map(len, series)),
        slices=sum(one.slices for of_patient in series for one in of_patient),
        captions=caption_counts(
            [k.description for one in of_patient for k in one.stacks for _ in k.slices]
            for of_patient in series
        ),
        set_aside={reason.value: count for reason, count in index.set_aside.most_common()},
    )


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
