"""What a study would cost a data set, before anything is spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BudgetExceededError
from ..privacy.joint.plan import both_epsilons, plan_alone, plan_joint, site_share
from ..privacy.joint.shares import JointShare
from ..privacy.ledger.book import Book, shares_of
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
class Collusion:
    """What a study would spend if all other sites of its joint sums worked together.

    Attributes:
        before: Epsilon that the data set has spent in this way.
        after: Epsilon if the study runs to its end; ``None`` if the data set cannot pay for it.
        ceiling: Epsilon that it may spend in its whole life.
    """

    before: float
    after: float | None
    ceiling: float


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
        collusion: The same if all other sites work together; ``None`` where it is no other
            number, because neither the study nor any before it sums jointly.
        by_round: Both epsilons (the second one for collusion) after what a joint study pays for
            once, after its first round, and after each further quarter of its rounds.
    """

    before: float
    after: float | None
    ceiling: float
    delta: float
    problem: str = ""
    collusion: Collusion | None = None
    by_round: tuple[tuple[int, float, float], ...] = ()


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
    book = Book()
    if (ledger / "ledger.jsonl").exists():
        book = LedgerView.read(ledger, colluding_sites=policy.max_colluding_sites).book
    here = _StudyHere(book=book, policy=policy, privacy=terms.privacy, study=study, rounds=rounds)
    delta = policy.delta
    before, before_alone = both_epsilons(book.shares(), delta)
    totals: list[tuple[float, float]] = []
    by_round: tuple[tuple[int, float, float], ...] = ()
    problem = ""
    try:
        if terms.privacy.sum == "joint":
            by_round = tuple(here.joint_by_round())
            totals.append(by_round[-1][1:])
        else:
            for once in _possible_once(book, terms.privacy, study):
                totals.append(here.local_in_the_end(once, terms.local.steps))
    except BudgetExceededError as error:
        problem = error.message
    else:
        after, alone = (max(values) for values in zip(*totals, strict=True))
        problem = _above(after, before, policy.epsilon_ceiling, "its ceiling", delta) or _above(
            alone,
            before_alone,
            policy.collusion_ceiling_in_force,
            "its collusion_ceiling, if all other sites worked together,",
            delta,
        )
    counts_twice = terms.privacy.sum == "joint" or book.has_joint
    return Cost(
        before=before,
        after=None if problem else after,
        ceiling=policy.epsilon_ceiling,
        delta=delta,
        problem=problem,
        collusion=Collusion(
            before=before_alone,
            after=None if problem else alone,
            ceiling=policy.collusion_ceiling_in_force,
        )
        if counts_twice
        else None,
        by_round=() if problem else by_round,
    )


def _above(total: float, before: float, ceiling: float, name: str, delta: float) -> str:
    """Say that a study passes a ceiling; empty if it does not.

    A planned study cannot choose more noise any more, and a site may lower its ceiling.
    """
    if total <= ceiling * _ROUNDING or total <= before * _ROUNDING:
        return ""
    return (
        f"The study would bring what it has spent from epsilon {before:.4g} to {total:.4g}, above "
        f"{name} {ceiling:g} at delta {delta:g}."
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


@dataclass(frozen=True, kw_only=True)
class _StudyHere:
    """A study, and the data set that it would run on."""

    book: Book
    policy: SitePolicy
    privacy: PrivacySettings
    study: str
    rounds: int

    def local_in_the_end(
        self, once: Sequence[SubsampledGaussian], steps: int
    ) -> tuple[float, float]:
        """Return both of the data set's epsilons after a local study's last round.

        Args:
            once: What the study pays for before its training.
            steps: Steps of a round.

        Raises:
            BudgetExceededError: If the data set cannot pay for it.
        """
        book, policy, privacy = self.book, self.policy, self.privacy
        plan, steps = book.plans.get(self.study), self.rounds * steps
        terms: dict[str, Any] = {
            "epsilon": privacy.epsilon,
            "delta": privacy.delta,
            "sample_rate": privacy.sample_rate,
            "steps": steps,
            "in_study": once,
            "ceiling_delta": policy.delta,
        }
        if plan:
            training_plan = plan.mechanism
        else:
            training_plan = plan_mechanism(
                **terms,
                earlier=book.mechanisms(other_than=self.study),
                epsilon_ceiling=policy.epsilon_ceiling,
                min_noise_multiplier=policy.min_noise_multiplier,
            )
            if book.has_joint:
                training_plan = plan_alone(
                    **terms,
                    earlier=book.own_mechanisms(other_than=self.study),
                    epsilon_ceiling=policy.collusion_ceiling_in_force,
                    min_noise_multiplier=training_plan.noise_multiplier,
                )
        training = SubsampledGaussian(privacy.sample_rate, training_plan.noise_multiplier, steps)
        shares = [JointShare(one, one) for one in (*once, training)]
        return both_epsilons([*book.shares(other_than=self.study), *shares], policy.delta)

    def joint_by_round(self) -> Iterator[tuple[int, float, float]]:
        """Yield both of the data set's epsilons after some numbers of a joint study's rounds.

        Raises:
            BudgetExceededError: If the data set cannot pay for it.
        """
        book, policy = self.book, self.policy
        once, others = list(self._joint_once()), book.shares(other_than=self.study)
        plan = book.plans.get(self.study)
        if plan and plan.joint:
            share = JointShare(plan.mechanism, plan.joint)
        else:
            share = site_share(
                self.privacy,
                self.rounds,
                in_study=once,
                earlier=others,
                epsilon_ceiling=policy.epsilon_ceiling,
                collusion_ceiling=policy.collusion_ceiling_in_force,
                ceiling_delta=policy.delta,
                min_noise_multiplier=policy.min_noise_multiplier,
            )
        last = share.own.steps
        for steps in sorted({0, 1, *(last * quarter // 4 for quarter in (1, 2, 3)), last}):
            training = [share.with_steps(steps)] if steps else []
            yield steps, *both_epsilons([*others, *once, *training], policy.delta)

    def _joint_once(self) -> Iterator[JointShare]:
        """Yield what a joint study pays for once: as its terms say, or as it has paid."""
        if self.study not in self.book.plans:
            yield from plan_joint(self.privacy, self.rounds).once
            return
        for one in self.book.reservations.values():
            record = one.record
            if record.study == self.study and not record.purpose.startswith("round "):
                yield from shares_of(record.mechanisms, record.joint)
