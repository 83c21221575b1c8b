"""kill -9 of each of the coordinator's processes in the middle of a round, and other faults.

Every study here asks for the same. So a site repeats for the later ones what it did for the first,
from the secrets in its ledger: all must end with the same bytes, and cost nothing twice.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from comparing import check, in_a_round, seen
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import AuditLog
from fedscan.server.coordinator.service import read_status
from loopback import SITES, Federation, fedscan, until
from on_import import path_with
from relay import Relay

pytestmark = pytest.mark.real_processes

FAULTS = Path(__file__).parent / "faults"


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


def test_the_proxy_dies_while_it_hands_a_question_over(
    federation: Federation, whole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flower counts the question as delivered, and the site never got it."""
    monkeypatch.setenv("HANDED_OVER", str(tmp_path / "handed-over"))
    monkeypatch.setenv("LOST_KIND", "train")
    monkeypatch.setenv("PYTHONPATH", path_with(FAULTS))
    federation.restart("coordinator", lambda: None)
    monkeypatch.undo()
    before = [rounds_asked(SiteHome.open(federation.site(site))) for site in SITES]
    study = federation.submit("handed-over")
    until((tmp_path / "handed-over").exists, f"the handing over\n{federation.logs()}")
    start = time.monotonic()
    os.kill(read_status(federation.home)["processes"]["proxy"]["pid"], signal.SIGKILL)
    check(federation, study, whole)
    assert time.monotonic() - start < study.study.federation.round_timeout_s / 2
    # The proxy may have had the other site's question at that moment, too.
    assert 1 <= seen(federation, study)["asked-again"] <= len(SITES)
    after = [rounds_asked(SiteHome.open(federation.site(site))) for site in SITES]
    # A question that was taken for lost and was not would have come to a site twice.
    assert [new - old for new, old in zip(after, before, strict=True)] == [2] * len(SITES)


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


def rounds_asked(home: SiteHome) -> int:
    entries = AuditLog(home.audit).entries()
    return sum(entry.event == "asked" and entry.facts["what"] == "round" for entry in entries)


def test_a_cut_in_the_network_in_a_round(federation: Federation, whole: str, relay: Relay) -> None:
    """Long enough that the site counts as gone, and shorter than anybody gives up."""
    home = SiteHome.open(federation.site("north"))
    federation.restart("north", lambda: home.change_settings(coordinator=f"127.0.0.1:{relay.port}"))
    federation.ready()
    study = federation.submit("cut")
    before = rounds_asked(home)
    until(
        lambda: rounds_asked(home) > before,
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
