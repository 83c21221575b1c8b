"""What both audits look at: made-up patients planted in a study's training among real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ...model.generator import Generator
from ...privacy.mechanism import SubsampledGaussian
from ..measures.image_sets import ImageSet
from .audit import Audit
from .rehearsal import SiteTraining, open_copy


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditedTraining:
    """A training that canaries are planted in, and how surely it is to be judged.

    Attributes:
        start: What the study starts from; not changed.
        real: Real patients among whom the canaries are planted.
        training: How the study's sites train.
        mechanism: What protects the patients; ``None`` for an unprotected training.
        steps: How many steps are taken.
        confidence: Chance with which the bound is to hold.
        seed: Seed of canaries, coins and steps.
    """

    start: Generator
    real: ImageSet
    training: SiteTraining
    mechanism: SubsampledGaussian | None
    steps: int
    confidence: float
    seed: int = 0

    def open_copy(self) -> tuple[Generator, dict[str, nn.Parameter]]:
        """Copy the start to train the copy; return it with what trains."""
        return open_copy(self.start, self.training)

    def expected_patients(self, canaries: int) -> float:
        """Return about how many patients there are, chosen without looking at the coins."""
        return self.real.patient_count + canaries / 2

    def judge(
        self,
        scores: NDArray[np.float64],
        is_planted: NDArray[np.bool_],
        *,
        guesses: int,
        silent: str = "",
    ) -> Audit:
        """Guess which canaries were planted; see :meth:`Audit.of`."""
        return Audit.of(
            scores,
            is_planted,
            guesses=guesses,
            delta=self.training.privacy.delta,
            confidence=self.confidence,
            silent=silent,
        )
