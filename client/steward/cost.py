"""What a study would cost a data set, before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import BudgetExceededError
from ...privacy.accounting import epsilon as spent_epsilon
from ...privacy.ledger.book import Book
from ...privacy.ledger.view import LedgerView
from ...privacy.mechanism import SubsampledGaussian
from ...privacy.planning import plan_mechanism
from ..answers.composition import composition_mechanism
from ..answers.patient_count import count_mechanism
from ..answers.statistics import statistics_mechanism
from ..policy import SitePolicy
from ..terms import StudyTerms


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a study would spend of a data set's life, all at the policy's delta.

    Epsilons do not add up: the whole history is composed anew with the study in it.

    Attributes:
        before: Epsilon that the data set has spent.
        after: Epsilon if the study runs to its end; ``None`` if the data set cannot pay for it.
        ceiling: Epsilon that it may spend in its whole life.
        delta: Chance with which the promise may fail.
        noise: Noise of a training step in units of the clip norm; ``None`` like ``after``.
        problem: Why it cannot pay.
    """

    before: float
    after: float | None
    ceiling: float
    delta: float
    noise: float | None
    problem: str = ""


def study_cost(
    ledger: Path, policy: SitePolicy, terms: StudyTerms, study: str, rounds: int
) -> Cost:
    """Plan a study as its first round would, and compose what it costs.

    Args:
        ledger: Folder of the data set's ledger; it need not exist yet.
        policy: The site's policy.
        terms: The study's terms; private ones.
        study: Digest of the study.
        rounds: Its rounds.

    Raises:
        LedgerError: If the ledger is damaged.
    """
    book = LedgerView.read(ledger).book if (ledger / "ledger.jsonl").exists() else Book()
    privacy, everything = terms.privacy, book.mechanisms()
    before = spent_epsilon(everything, policy.delta)
    once = [count_mechanism(privacy.epsilon)]
    if privacy.statistics_share:
        once.append(statistics_mechanism(privacy))
    if privacy.composition_share:
        once.append(composition_mechanism(privacy))
    steps = rounds * terms.local.steps
    try:
        plan = book.plans.get(study)
        planned = (
            plan.mechanism
            if plan
            else plan_mechanism(
                epsilon=privacy.epsilon,
                delta=privacy.delta,
                sample_rate=privacy.sample_rate,
                steps=steps,
                in_study=once,
                earlier=book.mechanisms(other_than=study),
                epsilon_ceiling=policy.epsilon_ceiling,
                ceiling_delta=policy.delta,
                min_noise_multiplier=policy.min_noise_multiplier,
            )
        )
    except BudgetExceededError as error:
        return Cost(
            before=before,
            after=None,
            ceiling=policy.epsilon_ceiling,
            delta=policy.delta,
            noise=None,
            problem=error.message,
        )
    training = SubsampledGaussian(privacy.sample_rate, planned.noise_multiplier, steps)
    after = spent_epsilon([*book.mechanisms(other_than=study), *once, training], policy.delta)
    return Cost(
        before=before,
        after=after,
        ceiling=policy.epsilon_ceiling,
        delta=policy.delta,
        noise=planned.noise_multiplier,
    )
