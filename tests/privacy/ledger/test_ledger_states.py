"""Any sequence of calls, crashes and restarts against a model that fits on one page."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from fedscan.errors import BudgetExceededError, LedgerError, PrivacyError
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.ledger import Ledger, LedgerHead, Reservation
from fedscan.privacy.mechanism import SubsampledGaussian
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

NOISE = 20.0
#: What a share of a joint sum counts as, beside its own noise.
JOINT_NOISE = 40.0


def digest(number: int) -> str:
    return f"{number:064x}"


def steps(count: int, noise: float = NOISE) -> list[SubsampledGaussian]:
    return [SubsampledGaussian(1.0, noise, count)] if count else []


@dataclass
class Step:
    """What the model knows of a step that was paid for."""

    count: int
    joint: bool
    secret: bytes
    sequence: int
    result: str = ""
    roster: str | None = None
    erased: bool = False


class LedgerMachine(RuleBasedStateMachine):
    """The ledger beside a dictionary of what was paid for."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.paid: dict[str, Step] = {}
        self.heads: list[LedgerHead] = []
        self.ceiling, self.collusion_ceiling, self.delta = 1.0, 1.2, 1e-5
        self.ledger = self.open()

    def open(self) -> Ledger:
        return Ledger.open(
            self.root / "ledger",
            "data",
            epsilon_ceiling=self.ceiling,
            collusion_ceiling=self.collusion_ceiling,
            delta=self.delta,
        )

    def counted(self, local: int = 0, joint: int = 0) -> list[SubsampledGaussian]:
        """What was paid and these steps, joint ones with the others' noise."""
        paid = self.paid.values()
        local += sum(step.count for step in paid if not step.joint)
        joint += sum(step.count for step in paid if step.joint)
        return [*steps(local), *steps(joint, JOINT_NOISE)]

    def counted_alone(self, more: int = 0) -> list[SubsampledGaussian]:
        """The same with the site's own noise."""
        return steps(more + sum(step.count for step in self.paid.values()))

    def take(self, request: str, count: int, joint: bool) -> Reservation:
        together = steps(count, JOINT_NOISE) if joint else None
        return self.ledger.reserve(request, steps(count), purpose="round", joint=together)

    @rule(request=st.integers(0, 12).map(digest), count=st.integers(1, 4), joint=st.booleans())
    def reserve(self, request: str, count: int, joint: bool) -> None:
        step = self.paid.get(request)
        total = epsilon(self.counted(*((0, count) if joint else (count, 0))), self.delta)
        alone = epsilon(self.counted_alone(count), self.delta)
        if step is None and (total > self.ceiling or alone > self.collusion_ceiling):
            with pytest.raises(BudgetExceededError):
                self.take(request, count, joint)
        elif step is None:
            new = self.take(request, count, joint)
            assert not new.replay
            assert new.secret not in {other.secret for other in self.paid.values()}
            self.paid[request] = Step(count, joint, new.secret, new.sequence)
        elif (step.count, step.joint) != (count, joint):
            with pytest.raises(PrivacyError):
                self.take(request, count, joint)
        elif step.erased:
            with pytest.raises(LedgerError, match="erased"):
                self.take(request, count, joint)
        else:
            again = self.take(request, count, joint)
            assert (again.secret, again.sequence) == (step.secret, step.sequence)
            assert again.replay

    @precondition(lambda self: any(not step.erased for step in self.paid.values()))
    @rule(
        data=st.data(),
        result=st.integers(0, 1).map(digest),
        roster=st.none() | st.integers(2, 3).map(digest),
    )
    def complete(self, data: st.DataObject, result: str, roster: str | None) -> None:
        present = [request for request, step in self.paid.items() if not step.erased]
        request = data.draw(st.sampled_from(present))
        step = self.paid[request]
        reservation = self.take(request, step.count, step.joint)
        first = not step.result and step.joint == (roster is not None)
        if not first and (step.result, step.roster) != (result, roster):
            with pytest.raises(PrivacyError):
                self.ledger.complete(reservation, result, roster=roster, masked_sum=roster)
        else:
            self.ledger.complete(reservation, result, roster=roster, masked_sum=roster)
            step.result, step.roster = result, roster

    @rule(before=st.integers(0, 40))
    def erase(self, before: int) -> None:
        gone = [
            step
            for step in self.paid.values()
            if step.result and not step.erased and step.sequence < before
        ]
        assert self.ledger.erase_secrets(before) == len(gone)
        for step in gone:
            step.erased = True

    @rule(
        ceiling=st.sampled_from([0.4, 1.0, 1.5]),
        more=st.sampled_from([0.0, 0.3, 1.0]),
        delta=st.sampled_from([1e-5, 1e-6]),
    )
    def reopen(self, ceiling: float, more: float, delta: float) -> None:
        self.ledger.close()
        self.ceiling, self.collusion_ceiling, self.delta = ceiling, ceiling + more, delta
        self.ledger = self.open()

    @rule(tail=st.binary(min_size=1, max_size=30).filter(lambda tail: b"\n" not in tail[:-1]))
    def reopen_after_a_torn_line(self, tail: bytes) -> None:
        self.ledger.close()
        with (self.root / "ledger" / "ledger.jsonl").open("ab") as file:
            file.write(tail)
        self.ledger = self.open()

    @rule()
    def pin(self) -> None:
        self.heads.append(self.ledger.head())

    @invariant()
    def spent_is_what_was_paid(self) -> None:
        spent = self.ledger.spent()
        assert spent.mechanisms == tuple(self.counted())
        assert spent.epsilon == epsilon(self.counted(), self.delta)
        assert spent.collusion_epsilon == epsilon(self.counted_alone(), self.delta)

    def teardown(self) -> None:
        for head in self.heads:
            self.ledger.verify(head)
        self.ledger.close()
        kept = {int(path.stem) for path in (self.root / "ledger" / "secrets").iterdir()}
        assert kept == {step.sequence for step in self.paid.values() if not step.erased}
        shutil.rmtree(self.root)


TestLedgerStates = LedgerMachine.TestCase
TestLedgerStates.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
