"""A round's request that was understood, and all that is opened for it: the base, data, policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from ...errors import ModelError, ProtocolError
from ...federation.protocol import RoundRequest
from ...model.patient_loss import DiffusionLoss
from ...privacy.mechanism import SubsampledGaussian
from ..terms import StudyTerms
from ..workspace.opened import OpenGenerator, open_generator
from ..workspace.participation import Participation
from ..workspace.training_settings import loss_settings
from .asked import Asked
from .start_store import keep_start


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenRound:
    """A request that was understood, and everything it needs.

    Attributes:
        question: The request.
        part: The site's part in its study.
        base_model: The opened base.
    """

    question: Asked
    part: Participation
    base_model: OpenGenerator

    @classmethod
    def open(cls, question: Asked) -> Self:
        """Open what a round needs, and check that the request fits it.

        Raises:
            DataError: If the scans cannot be used.
            ModelError: If the site has another base than the study.
            ProtocolError: If the request is malformed.
            StartNeededError: If the request leaves out a start that the site does not have.
        """
        request, terms, site = question.request, question.terms, question.site
        base_model = open_study_generator(question)
        _require_fitting(request, terms, base_model)
        keep_start(question.start, site.starts)
        part = Participation.open(request, terms, site)
        return cls(question=question, part=part, base_model=base_model)

    @property
    def request(self) -> RoundRequest:
        """What was asked."""
        return self.question.request

    def check(self, mechanism: SubsampledGaussian | None) -> None:
        """Ask the policy about a step of the round.

        Raises:
            PrivacyError: If it does not allow it.
        """
        terms = self.part.terms
        self.part.check(mechanism, clip_norm=terms.privacy.clip_norm, subset=terms.trainable.subset)

    def take_up_tensors(self) -> None:
        """Give the base the tensors that were sent."""
        with torch.no_grad():
            for name, parameter in self.base_model.parameters.items():
                parameter.copy_(torch.from_numpy(self.request.tensors[name].copy()))

    def loss(self) -> DiffusionLoss:
        """Return the loss of each of the site's patients."""
        return DiffusionLoss(
            generator=self.base_model.generator,
            source=self.part.data.latents,
            patients=self.part.patients,
            settings=loss_settings(self.part.terms.local, self.part.terms.privacy),
        )


def open_study_generator(question: Asked, *, warmed_up: bool = True) -> OpenGenerator:
    """Open the site's base as a study uses it.

    Args:
        question: What was asked.
        warmed_up: Whether with what the study's warm-up changed.

    Raises:
        ModelError: If it cannot be opened.
    """
    terms, site = question.terms, question.site
    start = question.start if warmed_up else None
    return open_generator(site.base, terms.trainable, site.device, start, terms.data.image_size)


def require_base(request: RoundRequest, terms: StudyTerms, base_model: OpenGenerator) -> None:
    """Refuse a study that starts from another base than the site's.

    Raises:
        ModelError: If the site has another one.
        ProtocolError: If the terms are of another image size than the base.
    """
    if not base_model.is_base(request.base):
        raise ModelError(
            f"The study starts from base {request.base[:12]}, "
            f"this site has {base_model.digest[:12]}.",
            hint="Copy the study's base to the site and name its folder in the node configuration.",
        )
    if terms.data.image_size != base_model.generator.image_size:
        raise ProtocolError("The term data.image_size is not the base's.")


def _require_fitting(request: RoundRequest, terms: StudyTerms, base_model: OpenGenerator) -> None:
    if request.round < 1:
        raise ProtocolError("Rounds of training are counted from 1.")
    require_base(request, terms, base_model)
    shapes = {name: tuple(value.shape) for name, value in base_model.parameters.items()}
    if {name: value.shape for name, value in request.tensors.items()} != shapes:
        raise ProtocolError("The tensors are not the base's trainable ones.")
    if not all(np.isfinite(value).all() for value in request.tensors.values()):
        raise ProtocolError("The tensors hold values that are not finite.")
