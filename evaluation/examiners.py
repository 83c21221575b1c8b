"""Every examiner, by the key of its section, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ..common.progress import Progress
from ..model.generator import Generator
from ..model.statistics.composition import Composition
from .anatomy.examine import examine_anatomy
from .anatomy.findings import KEY as ANATOMY
from .canaries.examine import examine_canaries
from .canaries.rehearsal import SiteTraining
from .canaries.section import KEY as CANARIES
from .data_card import KEY as DATA
from .data_card import data_card_section
from .fairness.examine import examine_fairness
from .fairness.section import KEY as FAIRNESS
from .hospitals.examine import examine_hospitals
from .hospitals.section import KEY as HOSPITALS
from .measures.settings import EvaluationSettings
from .memory.examine import examine_memory
from .memory.section import KEY as MEMORY
from .run import Examiner
from .section import Section
from .settings import CanarySettings, ExaminationSettings, FairnessSettings, MemorySettings
from .subject import Subject
from .utility.examine import examine_rare_class
from .utility.section import KEY as UTILITY


def examiners(
    settings: ExaminationSettings,
    evaluation: EvaluationSettings,
    memory: MemorySettings,
    fairness: FairnessSettings,
) -> dict[str, Examiner]:
    """Return the examiners of a generator, set up as a study says.

    Args:
        settings: How much they draw and train.
        evaluation: What they share with the evaluation: sampler, bootstrap, seed.
        memory: How hard copies and members are searched for.
        fairness: How groups are compared.
    """
    return {
        UTILITY: partial(examine_rare_class, settings=settings, evaluation=evaluation),
        ANATOMY: partial(examine_anatomy, settings=settings, evaluation=evaluation),
        MEMORY: partial(examine_memory, settings=memory),
        HOSPITALS: partial(examine_hospitals, settings=memory, examination=settings),
        FAIRNESS: partial(examine_fairness, settings=fairness),
    }


def training_examiners(
    start: Callable[[], Generator],
    *,
    training: SiteTraining,
    compositions: Callable[[], Mapping[str, Composition]],
    settings: CanarySettings,
) -> dict[str, Examiner]:
    """Return the examiners of how a generator was trained, and on whom.

    Args:
        start: Loads what the study started from.
        training: How its sites train.
        compositions: Reads the noised numbers of patients that its sites released, by their
            names.
        settings: How many patients are planted to audit the training.
    """

    def canaries(subject: Subject, *, on_progress: Progress) -> Section:
        return examine_canaries(
            start(),
            subject.real.train,
            training=training,
            settings=settings,
            seed=subject.seed,
            on_progress=on_progress,
        )

    def data(subject: Subject, *, on_progress: Progress) -> Section:
        return data_card_section(compositions())

    return {CANARIES: canaries, DATA: data}
