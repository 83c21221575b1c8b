"""What a study would cost a data set, before anything is spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BudgetExceededError
from ..privacy.accounting import epsilon as spent_epsilon
from ..privacy.ledger.book import Book
from ..privacy.ledger.view import LedgerView
from ..privacy.mechanism import SubsampledGaussian
from ..privacy.planning import plan_mechanism
from ..privacy.settings import PrivacySettings
from ..privacy.study_costs import once_mechanisms
from .policy import SitePolicy
from .terms import StudyTerms

#: The same steps composed in another order differ by less than this.
_ROUNDING = 1 + 1e-9


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a study would spend of a data set's life, all at the policy's delta.

    Epsilons do not add up: the whole history is composed anew with the study in it.

    Attributes:
        before: Epsilon that the data set has spent.
        after: Epsilon if the study runs to its end; ``None`` if the data set cannot pay for it.
        ceiling: Epsilon that it may spend in its whole life.
        delta: Chance with which the promise may fail.
        problem: Why it cannot pay.
    """

    before: float
    after: float | None
    ceiling: float
    delta: float
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
    before = spent_epsilon(book.mechanisms(), policy.delta)
    after: float | None = None
    try:
        total = max(
            _spent_in_the_end(book, policy, terms, study, rounds, once)
            for once in _possible_once(book, terms.privacy, study)
        )
    except BudgetExceededError as error:
        problem = error.message
    else:
        # A planned study cannot choose more noise any more, and a site may lower its ceiling.
        if total > policy.epsilon_ceiling * _ROUNDING and total > before * _ROUNDING:
            problem = (
                f"The study would bring what it has spent from epsilon {before:.4g} to "
                f"{total:.4g}, above its ceiling {policy.epsilon_ceiling:g} at delta "
                f"{policy.delta:g}."
            )
        else:
            after, problem = total, ""
    return Cost(
        before=before,
        after=after,
        ceiling=policy.epsilon_ceiling,
        delta=policy.delta,
        problem=problem,
    )


def _possible_once(
    book: Book, privacy: PrivacySettings, study: str
) -> Iterator[Sequence[SubsampledGaussian]]:
    """Yield what the study may come to pay for once.

    Before its training is planned, whether the coordinator will ask for the statistics that the
    terms set a share aside for, nobody here can know; afterwards, all of it has been paid.
    """
    if study in book.plans:
        payments = [one.record for one in book.reservations.values() if one.record.study == study]
        rounds = [one for one in payments if one.purpose.startswith("round ")]
        yield [each for one in payments if one not in rounds for each in one.mechanisms]
        return
    yield once_mechanisms(privacy, statistics=False)
    if privacy.statistics_share:
        yield once_mechanisms(privacy, statistics=True)


def _spent_in_the_end(
    book: Book,
    policy: SitePolicy,
    terms: StudyTerms,
    study: str,
    rounds: int,
    once: Sequence[SubsampledGaussian],
) -> float:
    """Return the data set's epsilon after the study's last round.

    Raises:
        BudgetExceededError: If the data set cannot pay for it.
    """
    privacy, steps = terms.privacy, rounds * terms.local.steps
    plan, others = book.plans.get(study), book.mechanisms(other_than=study)
    training_plan = (
        plan.mechanism
        if plan
        else plan_mechanism(
            epsilon=privacy.epsilon,
            delta=privacy.delta,
            sample_rate=privacy.sample_rate,
            steps=steps,
            in_study=once,
            earlier=others,
            epsilon_ceiling=policy.epsilon_ceiling,
            ceiling_delta=policy.delta,
            min_noise_multiplier=policy.min_noise_multiplier,
        )
    )
    training = SubsampledGaussian(privacy.sample_rate, training_plan.noise_multiplier, steps)
    return spent_epsilon([*others, *once, training], policy.delta)
