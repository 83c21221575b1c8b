"""One round at a site: check, pay, train, put on record, answer. In this order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ...errors import ModelError, ProtocolError
from ...federation.protocol import RoundReply, RoundRequest, Tensors
from ...federation.wire import encode, outline
from ...model.patient_loss import DiffusionLoss
from ...privacy.dp_sgd import TrainingResult, run_private_steps, run_unprotected_steps
from ...privacy.ledger import Ledger, Reservation
from ...privacy.ledger.entries import Complete
from ...privacy.mechanism import SubsampledGaussian
from ...privacy.stream import SecretStream
from ...privacy.validation import validate_for_dp
from ..terms import StudyTerms
from ..workspace.opened import OpenGenerator, open_generator
from ..workspace.participation import Participation
from ..workspace.passes import in_passes
from ..workspace.training_settings import descent_settings, loss_settings
from .allowance import check_allowance
from .asked import Asked
from .composition import keep_composition
from .error_feedback import ErrorFeedback
from .patient_count import expected_patients
from .payment import Price, answer_once
from .release import Release
from .start_store import keep_start

#: Steps whose secrets are kept: as far back as a coordinator may have to resume.
_SECRETS_KEPT = 4


def run_round(question: Asked) -> RoundReply:
    """Train for one round and return the new tensors.

    Raises:
        BudgetExceededError: If the data set cannot pay for the round.
        DataError: If the scans cannot be used.
        LedgerError: If the budget cannot be put on record.
        ModelError: If the site has another base than the study.
        PrivacyError: If the site's policy does not allow the round.
        ProtocolError: If the request is malformed.
        StartNeededError: If the request leaves out a start that the site does not have.
    """
    request, terms, site = question.request, question.terms, question.site
    base_model = open_study_generator(question)
    _require_fitting(request, terms, base_model)
    keep_start(question.start, site.starts)
    part = Participation.open(request, terms, site)
    work = _Round(question=question, part=part, base_model=base_model)
    train = work.train_privately if terms.privacy.enabled else work.train_openly
    tensors, patients = train()
    return RoundReply(
        site=site.name,
        request=request.digest(),
        weight=part.policy.weight or max(1.0, patients),
        tensors=tensors,
    )


def round_release(question: Asked) -> Release:
    """Return what the answer to a round may hold, from the site's own base and the terms."""
    terms = question.terms
    parameters = open_study_generator(question).parameters
    model = {name: value.detach().cpu().numpy() for name, value in parameters.items()}
    return Release(outline=outline(terms.wire, model), update=True)


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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Round:
    """A request that was understood, and everything it needs."""

    question: Asked
    part: Participation
    base_model: OpenGenerator

    @property
    def request(self) -> RoundRequest:
        """What was asked."""
        return self.question.request

    def train_privately(self) -> tuple[Tensors, float]:
        """Pay for the round, train, and release only what the ledger has on record.

        Returns:
            What leaves, and the noised number of patients.
        """
        validate_for_dp(self.base_model.generator)
        part, privacy, local = self.part, self.part.terms.privacy, self.part.terms.local
        # Before anything is paid or planned; the plan will not have less noise than this.
        least = part.policy.min_noise_multiplier
        self._check(SubsampledGaussian(privacy.sample_rate, least, local.steps))
        with part.ledger() as ledger:
            patient_count = expected_patients(ledger, part)
            keep_composition(ledger, part)

        def price(ledger: Ledger) -> Price:
            plan = ledger.plan(
                part.study,
                epsilon=privacy.epsilon,
                delta=privacy.delta,
                sample_rate=privacy.sample_rate,
                steps=self.request.rounds * local.steps,
                min_noise_multiplier=least,
            )
            return Price(
                mechanism=replace(plan, steps=local.steps),
                purpose=f"round {self.request.round}",
                allow=lambda digest: check_allowance(
                    ledger, part.study, digest, kind="round", most=self.request.rounds
                ),
            )

        def compute(reservation: Reservation, mechanism: SubsampledGaussian) -> Tensors:
            def train(rows: int) -> TrainingResult:
                self._take_up_tensors()
                return run_private_steps(
                    self.base_model.parameters,
                    self._loss(),
                    population=len(part.patients),
                    expected_patients=patient_count,
                    mechanism=mechanism,
                    clip_norm=privacy.clip_norm,
                    descent=descent_settings(local),
                    stream=SecretStream(reservation.secret, "training"),
                    rows_at_once=rows,
                )

            return self._outgoing(self._in_passes(train))

        tensors = answer_once(
            self.question, part, price=price, compute=compute, when_on_record=_erase_old_secrets
        )
        return tensors, patient_count

    def train_openly(self) -> tuple[Tensors, float]:
        """Train without protection, where the site's policy allows it at all.

        Returns:
            What leaves, and the number of patients.
        """
        self._check(None)
        name, patients = self.part.site.name, len(self.part.patients)
        key = hashlib.sha256(f"{name}:{self.request.digest()}".encode()).digest()

        def train(rows: int) -> TrainingResult:
            self._take_up_tensors()
            return run_unprotected_steps(
                self.base_model.parameters,
                self._loss(),
                population=patients,
                sample_rate=self.part.terms.privacy.sample_rate,
                steps=self.part.terms.local.steps,
                descent=descent_settings(self.part.terms.local),
                stream=SecretStream(key, "open training"),
                rows_at_once=rows,
            )

        return self._outgoing(self._in_passes(train)), float(patients)

    def _in_passes(self, train: Callable[[int], TrainingResult]) -> TrainingResult:
        part = self.part
        return in_passes(part.site, part.study, part.terms, self.base_model, train)

    def _outgoing(self, result: TrainingResult) -> Tensors:
        """Put the result into the study's form, and keep what that loses for the next round."""
        weights = {name: value.cpu().numpy() for name, value in result.tensors.items()}
        feedback = ErrorFeedback(self.part.site.feedback / self.part.study)
        number, form = self.request.round, self.part.terms.wire
        tensors, remainder = encode(form, self.request.tensors, weights, feedback.before(number))
        if remainder is not None:
            feedback.keep(number, remainder)
        return tensors

    def _check(self, mechanism: SubsampledGaussian | None) -> None:
        terms = self.part.terms
        self.part.check(mechanism, clip_norm=terms.privacy.clip_norm, subset=terms.trainable.subset)

    def _take_up_tensors(self) -> None:
        with torch.no_grad():
            for name, parameter in self.base_model.parameters.items():
                parameter.copy_(torch.from_numpy(self.request.tensors[name].copy()))

    def _loss(self) -> DiffusionLoss:
        return DiffusionLoss(
            generator=self.base_model.generator,
            source=self.part.data.latents,
            patients=self.part.patients,
            settings=loss_settings(self.part.terms.local, self.part.terms.privacy),
        )


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


def _erase_old_secrets(ledger: Ledger) -> None:
    """Erase the secrets of steps that no coordinator can go back to.

    Whoever gets hold of a secret later could subtract the noise of its step.
    """
    reservations = [
        e.record.reservation for e in ledger.entries() if isinstance(e.record, Complete)
    ]
    if len(reservations) > _SECRETS_KEPT:
        ledger.erase_secrets(sorted(reservations)[-_SECRETS_KEPT])
