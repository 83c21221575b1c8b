"""Kill the process at any point, cut the power, fill the disk: no overspend, no double spend."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fedscan.errors import BudgetExceededError, LedgerError, PrivacyError
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.ledger import Ledger, Reservation
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.privacy.mechanism import SubsampledGaussian
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DELTA = 1e-5
MECHANISM = SubsampledGaussian(1.0, 20.0, 1)
#: (names, contents) as the kernel saw them, or as they were last synced.
KILLED, POWER_CUT = (True, True), (False, False)
LOSSES = [KILLED, POWER_CUT, (True, False), (False, True)]


def digest(number: int) -> str:
    return f"{number:064x}"


def many(count: int) -> SubsampledGaussian:
    return SubsampledGaussian(1.0, MECHANISM.noise_multiplier, count)


#: Room for exactly this many steps.
ROOM = 5
CEILING = (epsilon([many(ROOM)], DELTA) + epsilon([many(ROOM + 1)], DELTA)) / 2

SCRIPT = [
    ["reserve", digest(1)],
    ["complete", digest(1), digest(101)],
    ["reserve", digest(2)],
    ["erase", 3],
    ["complete", digest(2), digest(102)],
]


class Driver:
    """The process that lets its children die; see ledger_driver.py."""

    def __init__(self) -> None:
        script = Path(__file__).parents[2] / "helpers" / "ledger_driver.py"
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self._answer() == "ready"

    def run(self, folder: Path, script: list[Any], **order: Any) -> tuple[int, list[list[Any]]]:
        """Run a script in a child; return its exit status and what it was told."""
        answers = folder.parent.with_name(f"{folder.parent.name}.answers")
        order = {"ceiling": CEILING, **order, "folder": str(folder), "script": script}
        status = self._order({**order, "answers": str(answers)})
        return status, [json.loads(line) for line in answers.read_text().splitlines()]

    def start(self, folder: Path, answers: Path, script: list[Any], ceiling: float) -> int:
        """Run a script in a child without waiting for it; return its process id."""
        order = {"folder": str(folder), "script": script, "ceiling": ceiling}
        return self._order({**order, "answers": str(answers), "background": True})

    def wait(self, child: int) -> int:
        return self._order({"wait": child})

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _order(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture(autouse=True)
def no_waiting_for_the_real_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check what a death left without syncing it: the driver knows what was synced."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.close()


def repeat(ledger: Ledger, request: str) -> Reservation | None:
    """Reserve a step again; None if its secret was erased."""
    try:
        return ledger.reserve(request, [MECHANISM], purpose="step")
    except LedgerError as error:
        if "secret erased" not in error.message:
            raise
        return None


def check_promises(folder: Path, told: list[list[Any]]) -> None:
    """Check everything that was promised to the caller of a process that is no more."""
    reserved = {answer[1]: answer[2] for answer in told if answer[0] == "reserve"}
    completed = {answer[1]: answer[2] for answer in told if answer[0] == "complete"}
    erased = any(answer[0] == "erase" for answer in told)
    with Ledger.open(folder, "data", epsilon_ceiling=CEILING, delta=DELTA) as ledger:
        paid = [e.record.request for e in ledger.entries() if isinstance(e.record, Reserve)]
        # Nothing is paid twice, what was returned is paid, and at most one step is paid for
        # that nobody was told of.
        assert len(set(paid)) == len(paid)
        assert set(reserved) <= set(paid)
        assert len(paid) <= len(reserved) + 1
        assert sum(mechanism.steps for mechanism in ledger.spent().mechanisms) == len(paid)
        ledger.verify()
        head = ledger.head()
        # Opening has finished what was interrupted: the head, and the secrets to be erased.
        assert json.loads((folder / "head.json").read_text())["sequence"] == head.sequence
        kept = {int(path.stem) for path in (folder / "secrets").iterdir()}
        reservations = LedgerView.read(folder).book.reservations.values()
        assert kept == {one.sequence for one in reservations if not one.erased}
        # Whatever was lost is done again, and in the end the same is spent as without a crash.
        for number in (1, 2):
            again = repeat(ledger, digest(number))
            # A secret is gone only if erasing it was begun.
            assert again or (number == 1 and digest(1) in completed)
            assert not (again and number == 1 and erased)
            if again:
                assert reserved.get(digest(number)) in (None, again.secret.hex())
                ledger.complete(again, digest(100 + number))
                with pytest.raises(PrivacyError):
                    ledger.complete(again, digest(999))
        assert ledger.spent().mechanisms == (many(2),)
        for number in range(3, ROOM + 1):
            ledger.reserve(digest(number), [MECHANISM], purpose="step")
        with pytest.raises(BudgetExceededError):
            ledger.reserve(digest(ROOM + 1), [MECHANISM], purpose="step")
        assert ledger.spent().epsilon <= CEILING
        ledger.verify(head)


def every_fault(
    driver: Driver, tmp_path: Path, script: list[Any], **order: Any
) -> Iterator[tuple[Path, int, list[list[Any]]]]:
    """Run a script once for every change of the disk, each with a fault there."""
    at, torn = 1, False
    while True:
        folder = tmp_path / f"{at}-{torn}" / "ledger"
        folder.parent.mkdir()
        status, told = driver.run(folder, script, at=at, torn=torn, **order)
        faults = [answer[1] for answer in told if answer[0] == "fault"]
        if not faults:
            assert status == 0
            return
        yield folder, status, told
        torn = not torn and faults == ["write"]
        at += not torn


@pytest.mark.parametrize("keep", [KILLED, POWER_CUT])
def test_a_death_at_any_write_breaks_no_promise(driver, tmp_path, keep):
    deaths = 0
    for folder, status, told in every_fault(driver, tmp_path, SCRIPT, keep=keep, error=0):
        assert status == 137
        check_promises(folder, told)
        deaths += 1
    assert deaths > 50


def test_a_disk_that_fails_at_any_write_stops_the_step_cleanly(driver, tmp_path):
    full = errno.ENOSPC
    for folder, status, told in every_fault(driver, tmp_path, SCRIPT, keep=KILLED, error=full):
        assert status == 0
        assert told[-1][:2] == ["error", "ledger"]
        assert os.strerror(full) in told[-1][2]
        check_promises(folder, told)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    faults=st.lists(
        st.tuples(
            st.integers(1, 70),
            st.booleans(),
            st.sampled_from(LOSSES),
            # A death, or a disk that fails once and the process goes on.
            st.sampled_from([0, 0, errno.EIO]),
        ),
        min_size=2,
        max_size=4,
    )
)
def test_faults_during_recovery_break_no_promise_either(driver, tmp_path_factory, faults):
    folder = tmp_path_factory.mktemp("state") / "ledger"
    history: list[list[Any]] = []
    for at, torn, keep, error in faults:
        _, told = driver.run(folder, SCRIPT, at=at, torn=torn, keep=keep, error=error)
        history += told
    secrets: dict[str, set[str]] = {}
    for answer in history:
        if answer[0] == "reserve":
            secrets.setdefault(answer[1], set()).add(answer[2])
    assert all(len(seen) == 1 for seen in secrets.values())
    check_promises(folder, history)


def await_open(answers: Path) -> None:
    """Wait until a child in the background has opened the ledger."""
    deadline = time.monotonic() + 60
    while not answers.exists() or b'"open"' not in answers.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_killed_at_random_moments_while_reserving(driver, tmp_path):
    moments = random.Random(0)
    folder, answers = tmp_path / "state" / "ledger", tmp_path / "answers"
    script = [["reserve", digest(number)] for number in range(1, 31)]
    secrets: dict[str, str] = {}
    for _ in range(12):
        child = driver.start(folder, answers, script, ceiling=8.0)
        await_open(answers)
        time.sleep(moments.uniform(0.0, 0.05))
        os.kill(child, signal.SIGKILL)
        driver.wait(child)
        for line in answers.read_bytes().split(b"\n")[:-1]:
            kind, *answer = json.loads(line)
            assert kind != "error", answer
            if kind == "reserve":
                assert secrets.setdefault(answer[0], answer[1]) == answer[1]
        answers.unlink()
    with Ledger.open(folder, "data", epsilon_ceiling=8.0, delta=DELTA) as ledger:
        paid = [e.record.request for e in ledger.entries() if isinstance(e.record, Reserve)]
        assert len(set(paid)) == len(paid)
        assert set(secrets) <= set(paid) <= {digest(number) for number in range(1, 31)}
        # Each death may have left one step that was paid for and not returned.
        assert len(paid) <= len(secrets) + 12
        assert ledger.spent().mechanisms == (many(len(paid)),)


def test_a_disk_that_takes_no_more_bytes(driver, tmp_path):
    folder = tmp_path / "state" / "ledger"
    script = [["reserve", digest(1)], ["limit", 100], ["reserve", digest(2)]]
    status, told = driver.run(folder, script)
    assert status == 0
    assert told[-1][:2] == ["error", "ledger"]
    assert [answer[1] for answer in told if answer[0] == "reserve"] == [digest(1)]
    with Ledger.open(folder, "data", epsilon_ceiling=CEILING, delta=DELTA) as ledger:
        assert ledger.spent().mechanisms == (many(1),)
    check_promises(folder, told)


def test_two_processes_cannot_both_take_what_is_left(driver, tmp_path):
    folder = tmp_path / "state" / "ledger"
    for attempt in range(5):
        one_step = epsilon([many(attempt + 1)], DELTA) * (1 + 1e-9)
        # Both want other steps, and only one of them fits.
        files = [tmp_path / f"answers-{attempt}-{racer}" for racer in range(2)]
        children = [
            driver.start(folder, file, [["reserve", digest(10 * attempt + racer)]], one_step)
            for racer, file in enumerate(files)
        ]
        assert [driver.wait(child) for child in children] == [0, 0]
        outcomes = [json.loads(file.read_text().splitlines()[-1])[:2] for file in files]
        assert sorted(outcome[0] for outcome in outcomes) == ["error", "reserve"]
        assert ["error", "budget-exceeded"] in outcomes
    with Ledger.open(folder, "data", epsilon_ceiling=CEILING, delta=DELTA) as ledger:
        assert ledger.spent().mechanisms == (many(5),)


def test_the_lock_names_its_holder_and_dies_with_it(driver, tmp_path):
    folder, answers = tmp_path / "state" / "ledger", tmp_path / "answers"
    child = driver.start(folder, answers, [["hold"]], CEILING)
    await_open(answers)
    with pytest.raises(LedgerError, match=f"locked by process {child}"):
        Ledger.open(folder, "data", epsilon_ceiling=CEILING, delta=DELTA, lock_timeout=0.1)
    os.kill(child, signal.SIGKILL)
    driver.wait(child)
    Ledger.open(folder, "data", epsilon_ceiling=CEILING, delta=DELTA, lock_timeout=5).close()
