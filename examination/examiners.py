"""Every examiner, by the key of its section, in the order of the report."""

from __future__ import annotations

from functools import partial

from ..evaluation.settings import EvaluationSettings
from .anatomy import examine_anatomy
from .anatomy_section import KEY as ANATOMY
from .memory import examine_memory
from .rare_class import KEY as UTILITY
from .rare_class import examine_rare_class
from .run import Examiner
from .settings import ExaminationSettings


def examiners(settings: ExaminationSettings, evaluation: EvaluationSettings) -> dict[str, Examiner]:
    """Return all examiners, set up as a study says.

    Args:
        settings: How much they draw and train.
        evaluation: What they share with the evaluation: sampler, bootstrap, seed.
    """
    return {
        UTILITY: partial(examine_rare_class, settings=settings, evaluation=evaluation),
        ANATOMY: partial(examine_anatomy, settings=settings, evaluation=evaluation),
        "memory": examine_memory,
    }
