"""kill -9 of each of the coordinator's processes in the middle of a round, and other faults.

Every study here asks for the same. So a site repeats for the later ones what it did for the first,
from the secrets in its ledger: all must end with the same bytes, and cost nothing twice.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from fedscan.audit import AuditLog, verify
from fedscan.client.daemon.home import SiteHome
from fedscan.model.storage import generator_digest
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.coordinator.service import read_status
from fedscan.server.coordinator.studies import StudyFolder
from fedscan.server.history import History
from loopback import SITES, Federation, fedscan, until
from relay import Relay

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


def test_a_damaged_checkpoint_is_passed_over(federation: Federation, whole: str) -> None:
    study = federation.submit("damaged")
    in_a_round(federation, study, 2)
    fedscan("coordinator", "abort", study.name, "--home", federation.home.root)
    until(lambda: study.state.phase == "aborted" and not study.is_served(), "the abort")
    newest = study.job.run / "checkpoints" / "round-000001"
    (file,) = newest.glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    fedscan("coordinator", "resume", study.name, "--home", federation.home.root)
    check(federation, study, whole)
    assert seen(federation, study)["checkpoint-passed-over"] == 1


@pytest.fixture(scope="module")
def relay(federation: Federation) -> Iterator[Relay]:
    """The way of site north to the coordinator, from its first use on."""
    made = Relay(federation.port)
    yield made
    made.close()


def test_a_cut_in_the_network_in_a_round(federation: Federation, whole: str, relay: Relay) -> None:
    """Long enough that the site counts as gone, and shorter than anybody gives up."""
    home = SiteHome.open(federation.site("north"))
    federation.restart("north", lambda: home.change_settings(coordinator=f"127.0.0.1:{relay.port}"))
    federation.ready()
    study = federation.submit("cut")
    asked = Counter(one.event for one in AuditLog(home.audit).entries())["asked"]
    until(
        lambda: Counter(one.event for one in AuditLog(home.audit).entries())["asked"] > asked,
        f"the request to reach the site\n{federation.logs()}",
    )
    relay.cut()
    until(lambda: "north" in offline(federation), f"the site's absence\n{federation.logs()}")
    time.sleep(5)  # the length of the cut, not a wait for anything
    relay.mend()
    check(federation, study, whole)


def offline(federation: Federation) -> set[str]:
    return {site["site"] for site in federation.status()["sites"] if not site["online"]}


def test_a_study_that_is_approved_late_goes_on_by_itself(
    federation: Federation, whole: str
) -> None:
    # The other studies here ask for the same, and an approval is for what is asked.
    federation.withdraw("north")
    study = federation.submit("late", approved_by=("south",))
    until(lambda: seen(federation, study)["sites-awaited"], f"the wait\n{federation.logs()}")
    (shown,) = (one for one in federation.status()["studies"] if one["study"] == "late")
    assert shown["message"] == "Round 1 waits for north (not-approved)."
    federation.approve(study, "north")
    check(federation, study, whole)
    assert seen(federation, study)["study-started"] == 1
