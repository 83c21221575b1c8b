"""Releasing scores: as noised numbers, if the policy allows it and the data set's ledger pays.

It is a mechanism of its own beside the studies: what it costs is the steward's choice, and what
studies that are under way still need is left to them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from ...common.files import write_atomically
from ...errors import BudgetExceededError, PrivacyError
from ...federation.pki.keys import read_private_key
from ...federation.protocol import DEVIATION, Tensors, tensors_digest
from ...federation.scores import NUMBERS, ScoreReport
from ...model.statistics.scores import CELLS, SCALE, patient_vector
from ...privacy.accounting import epsilon as spent_epsilon
from ...privacy.accounting import noise_multiplier_for
from ...privacy.gaussian_sum import private_sum
from ...privacy.ledger import release_digest
from ...privacy.ledger.book import Book
from ...privacy.mechanism import SubsampledGaussian
from ...privacy.stream import SecretStream
from ..policy import SitePolicy, load_policy
from ..site import Site
from ..spending import spending_under
from ..steward.approvals import Approvals
from ..steward.home import SiteHome
from ..workspace.participation import data_set_ledger
from .score import SiteScores, scores_file

#: First word of what the ledger says that it was paid for.
PURPOSE = "scores"


def score_mechanism(epsilon: float, delta: float) -> SubsampledGaussian:
    """Return the mechanism that runs once on all held-out patients.

    Args:
        epsilon: What it alone may cost.
        delta: Chance with which the promise may fail.
    """
    noise = noise_multiplier_for(epsilon=epsilon, delta=delta, sample_rate=1.0, steps=1)
    return SubsampledGaussian(1.0, noise, 1)


def release_scores(home: SiteHome, site: Site, scores: SiteScores, epsilon: float) -> Path:
    """Pay for noised numbers of held-out patients, and write the file that may leave.

    What was released before is written again, at no cost.

    Args:
        home: The site's home.
        site: The site, with the data set that the scores are of.
        scores: The exact scores, which stay here.
        epsilon: What this release may cost by itself.

    Returns:
        The file.

    Raises:
        BudgetExceededError: If the data set cannot pay for it, or could then not pay for the rest
            of a study that is under way.
        ChangedResultError: If it was paid for with other patients.
        LedgerError: If it cannot be put on record.
        PrivacyError: If the policy keeps scores here, or asks for more noise.
    """
    policy = load_policy(site.policy)
    mechanism = score_mechanism(epsilon, policy.delta)
    _require_allowed(policy, mechanism)
    view = spending_under(policy, home.folder, site.state)
    book = view.book if view else Book()
    text = f"{PURPOSE}:{scores.study}:{scores.generator}:{scores.finding}"
    message = hashlib.sha256(text.encode()).hexdigest()
    request = release_digest(message=message, attempt=1)
    path = scores_file(site, scores).with_suffix(".released.json")
    if earlier := book.find(request):
        if earlier.result and path.exists():
            return path
        mechanism = earlier.record.mechanisms[0]
    else:
        _leave_studies_theirs(book, Approvals(home), mechanism, policy)
    with data_set_ledger(site, policy) as ledger:
        # A study of its own: no study's promise pays for it.
        reservation = ledger.reserve(request, [mechanism], purpose=PURPOSE, study=message)
        stream = SecretStream(reservation.secret, PURPOSE)
        tensors = noised_numbers(scores, mechanism, stream)
        digest = tensors_digest(tensors)
        ledger.complete(reservation, digest)
        home.log.append(
            "scores-released",
            data=site.state.name,
            study=scores.study,
            generator=scores.generator,
            result=digest,
            ledger=str(ledger.head()),
        )
    report = ScoreReport(
        site=site.name,
        study=scores.study,
        generator=scores.generator,
        finding=scores.finding,
        numbers=tuple(float(number) for number in tensors[NUMBERS]),
        deviation=float(tensors[DEVIATION][0]),
    )
    write_atomically(path, report.sign(read_private_key(home.tls_key)))
    return path


def _require_allowed(policy: SitePolicy, mechanism: SubsampledGaussian) -> None:
    if not policy.release_scores:
        raise PrivacyError(
            "The site's policy keeps scores here.",
            hint="Set release_scores = true in policy.toml if noised numbers of held-out patients "
            "may leave.",
        )
    if mechanism.noise_multiplier < policy.min_noise_multiplier:
        raise PrivacyError(
            f"Noise multiplier {mechanism.noise_multiplier:.3g} is below the policy's "
            f"{policy.min_noise_multiplier:g}.",
            hint="Release with a smaller --epsilon. Nothing was spent.",
        )


def _leave_studies_theirs(
    book: Book, approvals: Approvals, mechanism: SubsampledGaussian, policy: SitePolicy
) -> None:
    """Refuse to spend what studies that are under way have planned with."""
    under_way = {one.study for one in approvals.all()} & book.plans.keys()
    for ceiling, spent_so_far, to_come in (
        (policy.epsilon_ceiling, book.mechanisms(), _steps_left(book, under_way)),
        # If all other sites worked together, joint sums count with the site's own noise.
        (
            policy.collusion_ceiling_in_force,
            book.own_mechanisms(),
            _steps_left(book, under_way, alone=True),
        ),
    ):
        total = spent_epsilon([*spent_so_far, *to_come, mechanism], policy.delta)
        if total > ceiling >= spent_epsilon([*spent_so_far, mechanism], policy.delta):
            raise BudgetExceededError(
                f"With the rest of the studies that are under way, the data set would come to "
                f"epsilon {total:.4g}, above its ceiling {ceiling:g}.",
                hint="Nothing was spent. Release when they are done, with a smaller --epsilon, or "
                "take the approval of a study back that will not go on.",
            )


def _steps_left(
    book: Book, studies: Collection[str], *, alone: bool = False
) -> Sequence[SubsampledGaussian]:
    """Return the steps that some studies have planned with and not made yet.

    Args:
        book: What the ledger says.
        studies: Digests of the studies.
        alone: Whether joint sums count with the site's own noise alone.
    """
    steps_left = []
    for study in studies:
        plan = book.plans[study]
        whole = plan.mechanism if alone or plan.joint is None else plan.joint
        steps_made = book.own_mechanisms(study) if alone else book.mechanisms(study)
        steps = whole.steps - sum(
            one.steps
            for one in steps_made
            if (one.sample_rate, one.noise_multiplier)
            == (whole.sample_rate, whole.noise_multiplier)
        )
        if steps > 0:
            steps_left.append(SubsampledGaussian(whole.sample_rate, whole.noise_multiplier, steps))
    return steps_left


def noised_numbers(
    scores: SiteScores, mechanism: SubsampledGaussian, stream: SecretStream
) -> Tensors:
    """Return the numbers as they leave: patients by bin, and the deviation of their noise.

    Args:
        scores: The exact scores.
        mechanism: What was paid for.
        stream: Secret randomness of this release alone.
    """
    sums = private_sum(
        (patient_vector(score) for score in scores.patients),
        size=CELLS,
        clip_norm=1.0,
        noise_multiplier=mechanism.noise_multiplier,
        stream=stream,
    )
    return {
        NUMBERS: np.asarray(sums / SCALE, np.float32),
        DEVIATION: np.array([mechanism.noise_multiplier / SCALE], np.float32),
    }
