"""One round at a site: check, pay, train, put on record, answer. In this order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from ...federation.protocol import RoundReply, Tensors
from ...federation.wire import encode, outline
from ...privacy.dp_sgd import TrainingResult, run_private_steps, run_unprotected_steps
from ...privacy.ledger import Ledger, Reservation
from ...privacy.mechanism import SubsampledGaussian
from ...privacy.stream import SecretStream
from ...privacy.validation import validate_for_dp
from ..workspace.other_devices import linked_devices
from ..workspace.passes import in_passes
from ..workspace.training_settings import descent_settings
from .allowance import check_allowance
from .asked import Asked
from .composition import keep_composition
from .error_feedback import ErrorFeedback
from .joint.ready import ready_release
from .joint.training import run_joint_round
from .old_secrets import erase_old_secrets
from .opened_round import OpenRound, open_study_generator
from .patient_count import expected_patients
from .payment import Price, answer_once
from .release import Release


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
    terms = question.terms
    work = _Round.open(question)
    if terms.is_joint:
        return run_joint_round(work)
    train = work.train_privately if terms.privacy.enabled else work.train_openly
    tensors, patients = train()
    return RoundReply(
        site=question.site.name,
        request=question.request.digest(),
        weight=work.part.policy.weight or max(1.0, patients),
        tensors=tensors,
    )


def round_release(question: Asked) -> Release:
    """Return what the answer to a round may hold, from the site's own base and the terms."""
    terms = question.terms
    if terms.is_joint:
        return ready_release(question)
    parameters = open_study_generator(question).parameters
    model = {name: value.detach().cpu().numpy() for name, value in parameters.items()}
    return Release(outline=outline(terms.update_form, model), update=True)


class _Round(OpenRound):
    """A round in which the site adds all noise of its own, or none."""

    def train_privately(self) -> tuple[Tensors, float]:
        """Pay for the round, train, and release only what the ledger has on record.

        Returns:
            What leaves, and the noised number of patients.
        """
        validate_for_dp(self.base_model.generator)
        part, privacy, local = self.part, self.part.terms.privacy, self.part.terms.local
        # Before anything is paid or planned; the plan will not have less noise than this.
        least = part.policy.min_noise_multiplier
        self.check(SubsampledGaussian(privacy.sample_rate, least, local.steps))
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
                self.take_up_tensors()
                with linked_devices(part.site, part.terms, self.base_model) as link:
                    return run_private_steps(
                        self.base_model.parameters,
                        self.loss(),
                        population=len(part.patients),
                        expected_patients=patient_count,
                        mechanism=mechanism,
                        clip_norm=privacy.clip_norm,
                        descent=descent_settings(local),
                        stream=SecretStream(reservation.secret, "training"),
                        rows_at_once=rows,
                        link=link,
                    )

            return self._outgoing(self._in_passes(train))

        tensors = answer_once(
            self.question, part, price=price, compute=compute, when_on_record=erase_old_secrets
        )
        return tensors, patient_count

    def train_openly(self) -> tuple[Tensors, float]:
        """Train without protection, where the site's policy allows it at all.

        Returns:
            What leaves, and the number of patients.
        """
        self.check(None)
        name, patients = self.part.site.name, len(self.part.patients)
        key = hashlib.sha256(f"{name}:{self.request.digest()}".encode()).digest()

        def train(rows: int) -> TrainingResult:
            self.take_up_tensors()
            return run_unprotected_steps(
                self.base_model.parameters,
                self.loss(),
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
        number, form = self.request.round, self.part.terms.update_form
        tensors, remainder = encode(form, self.request.tensors, weights, feedback.before(number))
        if remainder is not None:
            feedback.keep(number, remainder)
        return tensors
