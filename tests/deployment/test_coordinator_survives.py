"""kill -9 of each of the coordinator's processes in the middle of a round.

Every study here asks for the same. So a site repeats for the later ones what it did for the first,
from the secrets in its ledger: all must end with the same bytes, and cost nothing twice.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest
from fedscan.audit import AuditLog, verify
from fedscan.model.storage import generator_digest
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.coordinator.service import read_status
from fedscan.server.coordinator.studies import StudyFolder
from fedscan.server.history import History
from loopback import SITES, Federation, fedscan, until

pytestmark = pytest.mark.federation


@pytest.fixture(scope="module")
def whole(federation: Federation) -> str:
    """Digest of the generator of a study in which nothing was killed."""
    study = federation.submit("whole")
    federation.start()
    federation.finish(study)
    return generator_digest(study.root / "generator")


def seen(federation: Federation, study: StudyFolder) -> Counter[str]:
    entries = AuditLog(federation.home.audit).entries()
    return Counter(one.event for one in entries if one.facts.get("study") == study.name)


def in_a_round(federation: Federation, study: StudyFolder, number: int) -> None:
    """Wait until a round's requests are out, and not all answers in."""
    until(
        lambda: seen(federation, study)["round-asked"] >= number,
        f"round {number}\n{federation.logs()}",
    )


def check(federation: Federation, study: StudyFolder, whole: str) -> None:
    """A study ended as the one in which nothing was killed, and nobody paid twice."""
    federation.finish(study)
    assert generator_digest(study.root / "generator") == whole
    entries = History(study.job.run / "history.jsonl").entries()
    assert sorted((entry.round, entry.site, entry.code) for entry in entries) == [
        (number, site, "ok") for number in (1, 2) for site in sorted(SITES)
    ]
    verify(federation.home.audit)
    for site in SITES:
        ledger = LedgerView.read(federation.site(site) / "data" / "chest" / "ledger")
        paid = [one.record.purpose for one in ledger.entries if isinstance(one.record, Reserve)]
        assert paid == ["patient count", "round 1", "round 2"]


@pytest.mark.parametrize("number", [1, 2])
def test_the_study_server_dies_in_a_round(federation: Federation, whole: str, number: int) -> None:
    study = federation.submit(f"server-{number}")
    in_a_round(federation, study, number)
    os.kill(study.outcome.pid, signal.SIGKILL)
    check(federation, study, whole)
    assert seen(federation, study)["study-server-died"] == 1


@pytest.mark.parametrize("name", ["superlink", "proxy", "superexec"])
def test_a_process_dies_in_a_round(federation: Federation, whole: str, name: str) -> None:
    study = federation.submit(f"{name}-killed")
    in_a_round(federation, study, 1)
    before = read_status(federation.home)["processes"][name]
    os.kill(before["pid"], signal.SIGKILL)
    check(federation, study, whole)
    after = read_status(federation.home)["processes"][name]
    assert after["running"]
    assert after["restarts"] == before["restarts"] + 1
    assert after["last_exit"] == -signal.SIGKILL


def test_the_coordinator_dies_with_all_its_processes(federation: Federation, whole: str) -> None:
    study = federation.submit("coordinator-killed")
    in_a_round(federation, study, 2)
    federation.process("coordinator").kill()
    federation.process("coordinator").wait()
    federation.start("coordinator")
    check(federation, study, whole)


def test_an_aborted_study_is_resumed(federation: Federation, whole: str) -> None:
    study = federation.submit("aborted")
    in_a_round(federation, study, 2)
    fedscan("coordinator", "abort", study.name, "--home", federation.home.root)
    until(lambda: study.state.phase == "aborted" and not study.is_served(), "the abort")
    assert not (study.root / "generator").exists()
    fedscan("coordinator", "resume", study.name, "--home", federation.home.root)
    check(federation, study, whole)
