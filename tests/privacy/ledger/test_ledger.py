"""The ledger's rules: pay first, once, below the ceiling; one result for each payment."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.errors import BudgetExceededError, LedgerError, PrivacyError
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.ledger import Ledger, LedgerHead, request_digest
from fedscan.privacy.ledger.entries import Plan, Refuse, Reserve, encode, line_digest
from fedscan.privacy.mechanism import SubsampledGaussian

DELTA = 1e-5
STEP = SubsampledGaussian(1.0, 20.0, 1)


def digest(number: int) -> str:
    return f"{number:064x}"


def many(count: int) -> SubsampledGaussian:
    return SubsampledGaussian(1.0, STEP.noise_multiplier, count)


def open_ledger(folder: Path, ceiling: float = 8.0, delta: float = DELTA, **options) -> Ledger:
    return Ledger.open(folder, "data", epsilon_ceiling=ceiling, delta=delta, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "site" / "ledger"


def test_a_step_is_on_the_disk_before_it_is_returned(folder):
    with open_ledger(folder) as ledger:
        reservation = ledger.reserve(digest(1), [STEP], purpose="round 1", study=digest(7))
        # What another process would find at this very moment.
        lines = (folder / "ledger.jsonl").read_text().splitlines()
        (secret,) = (folder / "secrets").iterdir()
        assert len(lines) == 2
        assert digest(1) in lines[1]
        assert secret.read_bytes() == reservation.secret
        assert len(reservation.secret) == 32
        assert not reservation.replay


def test_the_same_request_gets_the_same_secret_and_spends_nothing(folder):
    with open_ledger(folder) as ledger:
        first = ledger.reserve(digest(1), [STEP], purpose="round 1")
        second = ledger.reserve(digest(1), [STEP], purpose="round 1")
        assert second.replay
        assert (second.secret, second.sequence) == (first.secret, first.sequence)
    with open_ledger(folder) as ledger:
        third = ledger.reserve(digest(1), [STEP], purpose="round 1 again")
        assert third.replay
        assert third.secret == first.secret
        assert ledger.spent().mechanisms == (STEP,)
        other = ledger.reserve(digest(2), [STEP], purpose="round 2")
        assert other.secret != first.secret
        assert ledger.spent().mechanisms == (many(2),)


def test_mechanisms_are_composed_not_added(folder):
    sampled = SubsampledGaussian(0.25, 3.0, 4)
    with open_ledger(folder) as ledger:
        for number in range(3):
            ledger.reserve(digest(number), [sampled, STEP], purpose="round")
        spent = ledger.spent()
        merged = (SubsampledGaussian(0.25, 3.0, 12), many(3))
        assert spent.mechanisms == merged
        assert spent.epsilon == epsilon(merged, DELTA)
        assert spent.epsilon < 3 * epsilon([sampled, STEP], DELTA)
        recorded = [e.record.epsilon for e in ledger.entries() if isinstance(e.record, Reserve)]
        assert recorded[-1] == spent.epsilon
        assert recorded == sorted(recorded)


def test_a_step_past_the_ceiling_is_refused_with_the_numbers(folder):
    ceiling = epsilon([many(2)], DELTA)
    with open_ledger(folder, ceiling) as ledger:
        ledger.reserve(digest(1), [STEP], purpose="round 1")
        assert ledger.epsilon_with([STEP]) <= ceiling < ledger.epsilon_with([many(2)])
        ledger.reserve(digest(2), [STEP], purpose="round 2")
        secrets = sorted((folder / "secrets").iterdir())
        for _ in range(2):
            with pytest.raises(BudgetExceededError) as refusal:
                ledger.reserve(digest(3), [STEP], purpose="round 3")
        assert f"{epsilon([many(3)], DELTA):.4g}" in str(refusal.value)
        assert f"ceiling of {ceiling:g}" in str(refusal.value)
        assert f"{ceiling:.4g} is spent" in str(refusal.value)
        # The refusal is on record, once, and nothing else changed.
        refusals = [e.record for e in ledger.entries() if isinstance(e.record, Refuse)]
        assert [refusal.request for refusal in refusals] == [digest(3)]
        assert sorted((folder / "secrets").iterdir()) == secrets
        assert ledger.spent().epsilon <= ceiling
        # What was paid for can still be repeated.
        assert ledger.reserve(digest(2), [STEP], purpose="round 2").replay


def test_a_step_without_noise_is_refused(folder):
    with open_ledger(folder) as ledger, pytest.raises(BudgetExceededError, match="epsilon inf"):
        ledger.reserve(digest(1), [SubsampledGaussian(1.0, 0.0, 1)], purpose="round 1")


def test_the_ceiling_is_the_sites_word_of_today(folder):
    with open_ledger(folder, epsilon([many(1)], DELTA)) as ledger:
        ledger.reserve(digest(1), [STEP], purpose="round 1")
        with pytest.raises(BudgetExceededError):
            ledger.reserve(digest(2), [STEP], purpose="round 2")
    with open_ledger(folder, epsilon([many(2)], DELTA)) as ledger:
        ledger.reserve(digest(2), [STEP], purpose="round 2")
    with open_ledger(folder, epsilon([many(1)], DELTA)) as ledger:
        with pytest.raises(BudgetExceededError):
            ledger.reserve(digest(3), [STEP], purpose="round 3")
        assert ledger.reserve(digest(2), [STEP], purpose="round 2").replay


def test_another_delta_counts_the_past_anew(folder):
    with open_ledger(folder) as ledger:
        ledger.reserve(digest(1), [many(3)], purpose="round 1")
    with open_ledger(folder, delta=1e-7) as ledger:
        assert ledger.spent().epsilon == epsilon([many(3)], 1e-7)
        assert ledger.spent().epsilon > epsilon([many(3)], DELTA)


def test_a_ledger_belongs_to_one_data_set(folder):
    open_ledger(folder).close()
    with pytest.raises(LedgerError, match="belongs to data set 'data', not to 'other'"):
        Ledger.open(folder, "other", epsilon_ceiling=8.0, delta=DELTA)


def test_only_one_result_ever_leaves(folder):
    with open_ledger(folder) as ledger:
        reservation = ledger.reserve(digest(1), [STEP], purpose="round 1")
        ledger.complete(reservation, digest(11))
        ledger.complete(reservation, digest(11))
    with open_ledger(folder) as ledger:
        again = ledger.reserve(digest(1), [STEP], purpose="round 1")
        ledger.complete(again, digest(11))
        with pytest.raises(PrivacyError, match="another result"):
            ledger.complete(again, digest(12))
        assert len(ledger.entries()) == 3


def test_a_request_paid_for_with_other_mechanisms_is_refused(folder):
    with open_ledger(folder) as ledger:
        ledger.reserve(digest(1), [STEP], purpose="round 1")
        with pytest.raises(PrivacyError, match="other mechanisms"):
            ledger.reserve(digest(1), [many(2)], purpose="round 1")


@pytest.mark.parametrize(
    ("request_", "mechanisms", "purpose", "study"),
    [
        ("round-1", [STEP], "round", ""),
        (digest(1).replace("0", "A"), [STEP], "round", ""),
        (digest(1), [], "round", ""),
        (digest(1), [STEP], "", ""),
        (digest(1), [STEP], "two\nlines", ""),
        (digest(1), [STEP], "Müller", ""),
        (digest(1), [STEP], "x" * 121, ""),
        (digest(1), [STEP], "round", "study"),
    ],
)
def test_arguments_of_a_wrong_form_leave_nothing_behind(
    folder, request_, mechanisms, purpose, study
):
    with open_ledger(folder) as ledger:
        with pytest.raises(PrivacyError, match="cannot hold") as refusal:
            ledger.reserve(request_, mechanisms, purpose=purpose, study=study)
        assert "a-z" not in str(refusal.value)
        assert len(ledger.entries()) == 1
        assert list((folder / "secrets").iterdir()) == []


@pytest.mark.parametrize(("ceiling", "delta"), [(0, 1e-5), (float("inf"), 1e-5), (8, 0), (8, 1)])
def test_a_ceiling_that_promises_nothing_is_refused(folder, ceiling, delta):
    with pytest.raises(PrivacyError):
        open_ledger(folder, ceiling, delta)
    assert not folder.exists()


def test_a_reservation_of_another_ledger_cannot_be_completed(folder, tmp_path):
    with open_ledger(folder) as ledger, open_ledger(tmp_path / "other") as other:
        reservation = ledger.reserve(digest(1), [STEP], purpose="round 1")
        with pytest.raises(LedgerError, match="not one of this ledger"):
            other.complete(reservation, digest(11))
        other.reserve(digest(1), [STEP], purpose="round 1")
        with pytest.raises(LedgerError, match="not one of this ledger"):
            other.complete(reservation, digest(11))


def test_erased_secrets_are_gone_and_open_steps_keep_theirs(folder):
    with open_ledger(folder) as ledger:
        done = ledger.reserve(digest(1), [STEP], purpose="round 1")
        crashed = ledger.reserve(digest(2), [STEP], purpose="round 2")
        recent = ledger.reserve(digest(3), [STEP], purpose="round 3")
        for reservation in (done, recent):
            ledger.complete(reservation, digest(9))
        assert ledger.erase_secrets(recent.sequence) == 1
        assert ledger.erase_secrets(recent.sequence) == 0
        with pytest.raises(PrivacyError, match="before"):
            ledger.erase_secrets(-1)
        left = b"".join(path.read_bytes() for path in (folder / "secrets").iterdir())
        assert done.secret not in left
        assert ledger.reserve(digest(2), [STEP], purpose="round 2").secret == crashed.secret
        assert ledger.reserve(digest(3), [STEP], purpose="round 3").secret == recent.secret
        with pytest.raises(LedgerError, match="its secret erased"):
            ledger.reserve(digest(1), [STEP], purpose="round 1")
        ledger.verify()
    with open_ledger(folder) as ledger:
        with pytest.raises(LedgerError, match="its secret erased"):
            ledger.reserve(digest(1), [STEP], purpose="round 1")
        assert ledger.spent().mechanisms == (many(3),)


def test_secrets_are_the_owners_only_and_not_in_the_ledger(folder):
    with open_ledger(folder) as ledger:
        reservation = ledger.reserve(digest(1), [STEP], purpose="round 1")
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o700
    (secret,) = (folder / "secrets").iterdir()
    assert secret.stat().st_mode & 0o777 == 0o600
    assert reservation.secret.hex() not in (folder / "ledger.jsonl").read_text()
    assert reservation.secret.hex() not in repr(reservation)
    assert repr(reservation.secret) not in repr(reservation)


@pytest.mark.parametrize("name", [".", "00000001.secret"])
def test_secrets_that_others_can_read_are_refused(folder, name):
    with open_ledger(folder) as ledger:
        ledger.reserve(digest(1), [STEP], purpose="round 1")
    path = folder / "secrets" / name
    path.chmod(0o750)
    with pytest.raises(LedgerError, match="mode 0750"), open_ledger(folder) as ledger:
        ledger.reserve(digest(1), [STEP], purpose="round 1")


def test_a_lost_or_changed_secret_is_not_replaced_by_another(folder):
    with open_ledger(folder) as ledger:
        reservation = ledger.reserve(digest(1), [STEP], purpose="round 1")
        path = folder / "secrets" / f"{reservation.sequence:08d}.secret"
        for spoil in (lambda: path.write_bytes(bytes(32)), path.unlink):
            spoil()
            with pytest.raises(LedgerError, match="The secret of entry 1"):
                ledger.reserve(digest(1), [STEP], purpose="round 1")
            with pytest.raises(LedgerError, match="The secret of entry 1"):
                ledger.verify()


def test_two_threads_cannot_both_open_it(folder):
    with open_ledger(folder):
        found: list[str] = []

        def second() -> None:
            with pytest.raises(LedgerError, match=f"locked by process {os.getpid()}"):
                open_ledger(folder, lock_timeout=0.05)
            found.append("refused")

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert found == ["refused"]
    open_ledger(folder, lock_timeout=0.05).close()


def test_a_closed_ledger_spends_nothing(folder):
    with open_ledger(folder) as ledger:
        pass
    with pytest.raises(LedgerError, match="closed"):
        ledger.reserve(digest(1), [STEP], purpose="round 1")


def test_a_forked_process_spends_nothing(folder):
    with open_ledger(folder) as ledger:
        child = os.fork()
        if child == 0:
            try:
                ledger.reserve(digest(1), [STEP], purpose="round 1")
            except LedgerError as error:
                os._exit(42 if "forked" in error.message else 1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
        assert len(ledger.entries()) == 1
        # The child's end did not release the lock of its parent.
        with pytest.raises(LedgerError, match="locked"):
            open_ledger(folder, lock_timeout=0.05)


def test_thousands_of_entries_open_and_add_up(folder):
    """Grown on disk by the real writer of lines, in one go."""
    with open_ledger(folder) as ledger:
        ledger.reserve(digest(0), [STEP], purpose="round 0")
        first, second = ledger.entries()
    lines, previous = [encode(first)], line_digest(encode(first))
    for number in range(1, 3001):
        record = replace(second.record, request=digest(number))
        line = encode(replace(second, sequence=number, previous=previous, record=record))
        lines.append(line)
        previous = line_digest(line)
    (folder / "ledger.jsonl").write_bytes(b"".join(lines))
    (folder / "head.json").write_bytes(LedgerHead(3000, previous).to_json())
    with open_ledger(folder, 100.0) as ledger:
        assert ledger.spent().mechanisms == (many(3000),)
        new = ledger.reserve(digest(5000), [STEP], purpose="round 3001")
        assert new.sequence == 3001
        assert ledger.spent().mechanisms == (many(3001),)


def test_a_folder_that_cannot_be_written_is_a_clean_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be opened"):
        open_ledger(tmp_path / "file" / "ledger")


def test_a_pinned_head_uncovers_an_older_copy(folder, tmp_path):
    with open_ledger(folder) as ledger:
        ledger.reserve(digest(1), [STEP], purpose="round 1")
    backup = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with open_ledger(folder) as ledger:
        ledger.reserve(digest(2), [STEP], purpose="round 2")
        pinned = ledger.head()
        ledger.reserve(digest(3), [STEP], purpose="round 3")
        ledger.verify(pinned)
    # Lines and head restored, secrets not: what no crash explains is refused.
    for path, content in backup.items():
        path.write_bytes(content)
    with pytest.raises(LedgerError, match="older copy"):
        open_ledger(folder)
    # Everything restored: only the pin tells.
    for path in (folder / "secrets").iterdir():
        if path not in backup:
            path.unlink()
    with open_ledger(folder) as ledger, pytest.raises(LedgerError, match="pinned"):
        ledger.verify(pinned)


def test_a_plan_is_made_once_and_kept(folder):
    study = {"epsilon": 2.0, "sample_rate": 0.25, "steps": 20}
    with open_ledger(folder, 3.0) as ledger:
        ledger.reserve(digest(1), [STEP], purpose="another study", study=digest(70))
        plan = ledger.plan(digest(7), **study)
        assert plan.steps == 20
        assert ledger.spent().mechanisms == (STEP,)
        ledger.reserve(digest(2), [many(2)], purpose="another study", study=digest(70))
    with open_ledger(folder, 3.0) as ledger:
        assert ledger.plan(digest(7), **study) == plan
        plans = [e.record for e in ledger.entries() if isinstance(e.record, Plan)]
        assert len(plans) == 1
        for change in ({"epsilon": 2.5}, {"steps": 21}, {"min_noise_multiplier": 50.0}):
            with pytest.raises(PrivacyError, match="plan is fixed"):
                ledger.plan(digest(7), **{**study, **change})


def test_all_rounds_of_a_plan_fit_and_no_more(folder):
    with open_ledger(folder, 2.0) as ledger:
        statistics = SubsampledGaussian(1.0, 10.0, 1)
        ledger.reserve(digest(99), [statistics], purpose="statistics", study=digest(7))
        plan = ledger.plan(digest(7), epsilon=2.0, sample_rate=0.5, steps=12)
        for number in range(4):
            part = SubsampledGaussian(plan.sample_rate, plan.noise_multiplier, 3)
            ledger.reserve(digest(number), [part], purpose="round", study=digest(7))
        assert 1.95 < ledger.spent(digest(7)).epsilon <= 2.0
        with pytest.raises(BudgetExceededError):
            ledger.reserve(digest(5), [part], purpose="round", study=digest(7))


def test_a_request_is_what_its_result_depends_on():
    parts = {"message": "m", "data": "d", "software": "s"}
    base = request_digest(**parts)
    assert base == request_digest(**parts)
    others = {request_digest(**{**parts, name: "other"}) for name in parts}
    assert len(others | {base}) == 4
    assert request_digest(message="a", data="bc", software="") != request_digest(
        message="ab", data="c", software=""
    )
