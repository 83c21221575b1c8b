"""A site's share of the warm-up: noised sums of its patients' coarse images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...federation.protocol import DEVIATION, SUMS, RoundReply, Tensors
from ...model.statistics.group_means import CLIP_NORM, all_groups, patient_vector, vector_size
from ...privacy.gaussian_sum import private_sum
from ...privacy.ledger import Ledger, Reservation
from ...privacy.mechanism import SubsampledGaussian
from ...privacy.stream import SecretStream
from ...privacy.study_costs import statistics_mechanism
from ..data.dataset import SiteDataset
from ..workspace.participation import Participation
from .allowance import check_allowance, check_not_planned
from .asked import Asked
from .joint.ready import ready_release
from .joint.statistics import run_joint_statistics
from .payment import Price, answer_once
from .release import Release


def run_statistics(question: Asked) -> RoundReply:
    """Sum the training patients' vectors, with noise that is paid for first.

    Raises:
        BudgetExceededError: If the data set cannot pay for the sums.
        DataError: If the scans cannot be used.
        LedgerError: If the budget cannot be put on record.
        PrivacyError: If the study or the site's policy has no room for statistics.
        ProtocolError: If the request is malformed.
    """
    request, site = question.request, question.site
    if question.terms.is_joint:
        return run_joint_statistics(question)
    part = Participation.open(request, question.terms, site)
    mechanism = statistics_mechanism(part.terms.privacy)
    part.check(mechanism, clip_norm=1.0)

    def price(ledger: Ledger) -> Price:
        def allow(digest: str) -> None:
            check_allowance(ledger, part.study, digest, kind="statistics", most=1)
            check_not_planned(ledger, part.study, digest)

        return Price(mechanism=mechanism, purpose="statistics", allow=allow)

    def compute(reservation: Reservation, mechanism: SubsampledGaussian) -> Tensors:
        sums = private_sum(
            _unit_vectors(part.data.dataset),
            size=vector_size(all_groups()),
            clip_norm=1.0,
            noise_multiplier=mechanism.noise_multiplier,
            stream=SecretStream(reservation.secret, "statistics"),
        )
        return {
            SUMS: (sums * CLIP_NORM).astype(np.float32),
            DEVIATION: np.array([mechanism.noise_multiplier * CLIP_NORM], np.float32),
        }

    tensors = answer_once(question, part, price=price, compute=compute)
    return RoundReply(
        site=site.name,
        request=request.digest(),
        weight=part.policy.weight or 1.0,
        tensors=tensors,
    )


def statistics_release(question: Asked) -> Release:
    """Return what the answer with statistics may hold."""
    if question.terms.is_joint:
        return ready_release(question)
    sums = ("float32", (vector_size(all_groups()),))
    return Release(outline={SUMS: sums, DEVIATION: ("float32", (1,))}, update=False)


def _unit_vectors(dataset: SiteDataset) -> Iterator[NDArray[np.float32]]:
    groups = all_groups()
    for key in dataset.train_patients:
        yield patient_vector(dataset.examples(key), groups) / np.float32(CLIP_NORM)
