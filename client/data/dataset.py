"""A site's training data: patients, their examples and the split into training and hold-out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path

from ...common.progress import Progress, no_progress
from ...imaging.dicom.index import SiteIndex
from ...imaging.dicom.set_aside import Reason
from ...imaging.dicom.summary import caption_counts
from ...imaging.labels.source import LabelReport, LabelSource
from ...imaging.settings import DataSettings
from ...model.example import Example
from ...model.words.learnt import Combination, combinations_of
from ...model.words.tables import few_words
from ...model.words.vocabulary import Vocabulary
from .example_cache import CachedPatient, ExampleCache, open_cache, site_index
from .identity import DatasetIdentity
from .opt_out import OptOutList
from .patient_file import PatientFile
from .scanners import patient_scanners

_NOBODY = OptOutList()


@dataclass(frozen=True)
class Contents:
    """What a data set holds, in exact numbers: for the site's own eyes.

    Attributes:
        patients: Patients with examples.
        train_patients: Those that are trained on.
        examples: Images of all patients.
        captions: Patients and images by caption, without sex and age.
        set_aside: Files (or blank slices) not used, by reason.
        shared_studies: Studies that are there under several patient identifiers.
        labels: How the site's labels fit, if it has any.
        combinations: Patients that are trained on, by what their images show together.
    """

    patients: int
    train_patients: int
    examples: int
    captions: dict[str, tuple[int, int]]
    set_aside: dict[str, int]
    shared_studies: int
    labels: LabelReport | None
    combinations: dict[Combination, int]


class SiteDataset:
    """All usable scans of one site, read from a disk cache.

    Nothing is kept in memory but the list of patients, so a site may be larger than memory.

    Attributes:
        identity: Lasting hexadecimal name of the data set; the privacy ledger is keyed to it.
        settings: How its scans became examples.
    """

    def __init__(
        self,
        cache: ExampleCache,
        settings: DataSettings,
        identity: DatasetIdentity,
        index: Callable[[], SiteIndex],
    ) -> None:
        self._cache = cache
        self._identity = identity
        self._index = index
        self._by_key = {patient.key: patient for patient in cache.patients}
        self._open_patient = lru_cache(maxsize=4096)(cache.patient)
        self.settings = settings
        self.identity = identity.name

    @classmethod
    def open(
        cls,
        folder: Path,
        settings: DataSettings,
        cache_dir: Path,
        *,
        words: Vocabulary | None = None,
        state_dir: Path | None = None,
        labels: LabelSource | None = None,
        opt_outs: OptOutList = _NOBODY,
        report: Progress = no_progress,
    ) -> SiteDataset:
        """Open a folder of DICOM files; index and cache what is new or has changed.

        Args:
            folder: Any nesting and file names.
            settings: How scans become examples.
            cache_dir: For the cache; can be deleted at any time.
            words: Words that headers may select; those of the frame by default.
            state_dir: For the data set's identity, which must last; ``cache_dir`` by default.
            labels: What tells findings, splits and reports besides the headers, if anything does.
            opt_outs: Patients who are left out, whatever is asked.
            report: Told about progress: what is counted, how many are done, how many there are.

        Raises:
            DataError: If the folder does not exist or the identity file is damaged.
        """
        identity = DatasetIdentity.load_or_create(state_dir or cache_dir)
        words = words or few_words()
        cache = open_cache(
            folder,
            settings,
            words,
            cache_dir,
            identity,
            report,
            labels=labels,
            opt_outs=opt_outs,
        )
        index = partial(
            site_index,
            folder,
            settings,
            words,
            cache_dir,
            identity,
            labels=labels,
            opt_outs=opt_outs,
        )
        return cls(cache, settings, identity, index)

    def of(self, root: Path, patients: tuple[CachedPatient, ...]) -> SiteDataset:
        """Return the same data set with other patients, whose examples are in another folder."""
        cache = replace(self._cache, root=root, patients=patients)
        return SiteDataset(cache, self.settings, self._identity, self._index)

    @property
    def cached_patients(self) -> tuple[CachedPatient, ...]:
        """All patients with examples as the cache lists them."""
        return self._cache.patients

    @property
    def patients(self) -> tuple[str, ...]:
        """Opaque keys of all patients with examples, in a lasting order."""
        return tuple(patient.key for patient in self._cache.patients)

    @cached_property
    def holdout_patients(self) -> tuple[str, ...]:
        """Patients kept from training; a patient stays on its side whatever is added."""
        return tuple(p.key for p in self._cache.patients if self._held_out(p))

    @cached_property
    def train_patients(self) -> tuple[str, ...]:
        """Patients to train on."""
        return tuple(p.key for p in self._cache.patients if not self._held_out(p))

    def scanners(self) -> dict[tuple[str, str], str]:
        """Tell which scanner each patient's images come from; see :func:`patient_scanners`.

        The headers are remembered, so only files that are new or have changed are read.
        """
        return patient_scanners(self._index(), self._identity)

    @property
    def set_aside(self) -> Counter[Reason]:
        """Files (or blank slices) that are not used, by reason."""
        return Counter(self._cache.set_aside)

    def patient(self, key: str) -> PatientFile:
        """Open a patient's stored examples."""
        return self._open_patient(key)

    def count(self, key: str) -> int:
        """Number of a patient's examples."""
        return self._by_key[key].examples

    def source(self, key: str) -> str:
        """Digest of the names, sizes and times of a patient's scans, as earlier releases had it."""
        return self._by_key[key].source

    def content(self, key: str) -> str:
        """Digest of a patient's examples."""
        return self._by_key[key].content

    def examples(self, key: str, indices: Sequence[int] | None = None) -> list[Example]:
        """Read a patient's examples, all or the given ones, from the memory-mapped cache."""
        return self.patient(key).examples(indices)

    def contents(self) -> Contents:
        """Count what the data set holds."""
        return Contents(
            patients=len(self.patients),
            train_patients=len(self.train_patients),
            examples=sum(patient.examples for patient in self._cache.patients),
            captions=caption_counts(self.patient(key).descriptions for key in self.patients),
            set_aside={reason.value: n for reason, n in self._cache.set_aside.most_common() if n},
            shared_studies=self._cache.shared_studies,
            labels=self._cache.labels,
            combinations=dict(
                Counter(
                    combination
                    for key in self.train_patients
                    for combination in combinations_of(self.patient(key).descriptions)
                )
            ),
        )

    @property
    def labels(self) -> LabelReport | None:
        """How the site's labels fit, if it has any."""
        return self._cache.labels

    def _held_out(self, patient: CachedPatient) -> bool:
        return patient.is_held_out(self.settings.holdout_fraction)
