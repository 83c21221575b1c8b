"""Reading every simulated site's scans before the first round, several sites at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..client.site import Site
from ..client.workspace.opened import open_data
from ..imaging.dicom.summary import SMALLEST_CELL
from ..imaging.labels.source import LabelReport
from ..imaging.settings import DataSettings
from ..model.settings import TrainableSettings, VocabularySettings
from ..model.words.learnt import Combination
from .pool import map_processes


@dataclass(frozen=True, kw_only=True)
class SiteSummary:
    """What a site has, in exact numbers: in a simulation, the sites' data are one's own.

    Attributes:
        site: The site's name.
        patients: Patients with usable images.
        train_patients: Those that are trained on.
        examples: Images of all patients.
        captions: Patients and images by caption, without sex and age.
        set_aside: Files set aside, by reason.
        shared_studies: Studies that are there under several patient identifiers.
        labels: How the site's table of labels fits, if it has one.
        combinations: Training patients by what their images show together.
    """

    site: str
    patients: int
    train_patients: int
    examples: int
    captions: Mapping[str, tuple[int, int]]
    set_aside: Mapping[str, int]
    shared_studies: int
    labels: LabelReport | None
    combinations: Mapping[Combination, int]


def index_sites(
    sites: Sequence[Site],
    data: DataSettings,
    trainable: TrainableSettings,
    vocabulary: VocabularySettings,
    *,
    workers: int,
    on_site: Callable[[SiteSummary], None],
) -> list[SiteSummary]:
    """Decode and encode all sites' scans into their caches, where they are not there yet.

    A site would do it in its first round. Done before, it is not counted as part of a round,
    and what a site has can be shown before the training starts.

    Args:
        sites: The sites.
        data: How scans become images.
        trainable: Part of what names a site's opened generator.
        vocabulary: Which words describe them.
        workers: Sites that are read at the same time.
        on_site: Told about each site.

    Returns:
        A summary for each site, in the order given.
    """
    summaries = []
    tasks = [(site, data, trainable, vocabulary) for site in sites]
    for summary in map_processes(_index, tasks, workers=workers):
        on_site(summary)
        summaries.append(summary)
    return summaries


def _index(
    task: tuple[Site, DataSettings, TrainableSettings, VocabularySettings],
) -> SiteSummary:
    site, data, trainable, vocabulary = task
    contents = open_data(site, data, trainable, vocabulary).dataset.contents()
    return SiteSummary(
        site=site.name,
        patients=contents.patients,
        train_patients=contents.train_patients,
        examples=contents.examples,
        captions=contents.captions,
        set_aside=contents.set_aside,
        shared_studies=contents.shared_studies,
        labels=contents.labels,
        combinations=contents.combinations,
    )


def combinations_seen(summaries: Sequence[SiteSummary]) -> set[Combination]:
    """Return what enough patients of all sites show; in a simulation their data are one's own."""
    patients: Counter[Combination] = Counter()
    for summary in summaries:
        patients.update(summary.combinations)
    return {combination for combination, count in patients.items() if count >= SMALLEST_CELL}
