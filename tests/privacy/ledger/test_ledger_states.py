"""Any sequence of calls, crashes and restarts against a model that fits on one page."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from fedscan.errors import BudgetExceededError, LedgerError, PrivacyError
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.ledger import Ledger, LedgerHead
from fedscan.privacy.mechanism import SubsampledGaussian
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

NOISE = 20.0


def digest(number: int) -> str:
    return f"{number:064x}"


def steps(count: int) -> list[SubsampledGaussian]:
    return [SubsampledGaussian(1.0, NOISE, count)] if count else []


@dataclass
class Step:
    """What the model knows of a step that was paid for."""

    count: int
    secret: bytes
    sequence: int
    result: str = ""
    erased: bool = False


class LedgerMachine(RuleBasedStateMachine):
    """The ledger beside a dictionary of what was paid for."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.paid: dict[str, Step] = {}
        self.heads: list[LedgerHead] = []
        self.ceiling, self.delta = 1.0, 1e-5
        self.ledger = self.open()

    def open(self) -> Ledger:
        return Ledger.open(
            self.root / "ledger", "data", epsilon_ceiling=self.ceiling, delta=self.delta
        )

    def total(self) -> int:
        return sum(step.count for step in self.paid.values())

    @rule(request=st.integers(0, 12).map(digest), count=st.integers(1, 4))
    def reserve(self, request: str, count: int) -> None:
        step = self.paid.get(request)
        if step is None and epsilon(steps(self.total() + count), self.delta) > self.ceiling:
            with pytest.raises(BudgetExceededError):
                self.ledger.reserve(request, steps(count), purpose="round")
        elif step is None:
            new = self.ledger.reserve(request, steps(count), purpose="round")
            assert not new.replay
            assert new.secret not in {other.secret for other in self.paid.values()}
            self.paid[request] = Step(count, new.secret, new.sequence)
        elif step.count != count:
            with pytest.raises(PrivacyError):
                self.ledger.reserve(request, steps(count), purpose="round")
        elif step.erased:
            with pytest.raises(LedgerError, match="erased"):
                self.ledger.reserve(request, steps(count), purpose="round")
        else:
            again = self.ledger.reserve(request, steps(count), purpose="round")
            assert (again.secret, again.sequence) == (step.secret, step.sequence)
            assert again.replay

    @precondition(lambda self: any(not step.erased for step in self.paid.values()))
    @rule(data=st.data(), result=st.integers(0, 1).map(digest))
    def complete(self, data: st.DataObject, result: str) -> None:
        present = [request for request, step in self.paid.items() if not step.erased]
        request = data.draw(st.sampled_from(present))
        step = self.paid[request]
        reservation = self.ledger.reserve(request, steps(step.count), purpose="round")
        if step.result not in ("", result):
            with pytest.raises(PrivacyError):
                self.ledger.complete(reservation, result)
        else:
            self.ledger.complete(reservation, result)
            step.result = result

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

    @rule(ceiling=st.sampled_from([0.4, 1.0, 1.5]), delta=st.sampled_from([1e-5, 1e-6]))
    def reopen(self, ceiling: float, delta: float) -> None:
        self.ledger.close()
        self.ceiling, self.delta = ceiling, delta
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
        assert spent.mechanisms == tuple(steps(self.total()))
        assert spent.epsilon == epsilon(steps(self.total()), self.delta)

    def teardown(self) -> None:
        for head in self.heads:
            self.ledger.verify(head)
        self.ledger.close()
        kept = {int(path.stem) for path in (self.root / "ledger" / "secrets").iterdir()}
        assert kept == {step.sequence for step in self.paid.values() if not step.erased}
        shutil.rmtree(self.root)


TestLedgerStates = LedgerMachine.TestCase
TestLedgerStates.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
