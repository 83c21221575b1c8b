"""The faults of docs/faults.md in a joint study: one study, a fault in each of its rounds.

A finished joint study cannot be repeated, its keys are erased; so all of them happen to one. What
is promised is the same as with local noise: the study goes on, every site has its part in every
round, and each part is paid for once. That a repeated part is the same to the byte, the ledger sees
to: it has the digest of the one masked part that may leave.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from comparing import seen
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import AuditLog, verify
from fedscan.errors import AuditError
from fedscan.federation.invitation import Invitation
from fedscan.federation.joint.roster import ROSTER
from fedscan.federation.protocol import REVEAL
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.coordinator.service import read_status
from fedscan.server.coordinator.studies import StudyFolder
from fedscan.server.history import History
from loopback import Federation, until
from loopback import fedscan as command
from on_import import path_with
from relay import Relay
from site_processes import apps, below, children, lives, superexec

pytestmark = pytest.mark.real_processes

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
SITES = {"north": 6, "south": 5, "west": 4}
ROUNDS = 34
FAULTS = Path(__file__).parent / "faults"


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three sites, of which north has a small disk of its own, if this user may mount one."""
    if NGINX is None:
        pytest.skip("nginx is not installed (apt install nginx-light)")
    root = tmp_path_factory.mktemp("federation")
    disk = root / "north"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", str(disk)]
    mounted = shutil.which("mount") and not subprocess.run(mount, capture_output=True).returncode
    made = Federation(root, sites=SITES)
    try:
        yield made
    finally:
        made.stop()
        if mounted:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture(scope="module")
def study(federation: Federation) -> StudyFolder:
    """A joint study in its first rounds. North's steward approved it later than the others."""
    made = federation.submit(
        "together",
        "privacy.sum=joint",
        "local.steps=1",
        f"federation.rounds={ROUNDS}",
        "federation.expected_sites=3",
        "federation.min_results=3",
        approved_by=(),
    )
    federation.start()
    until(
        lambda: ROSTER in Invitation.from_json(made.invitation.read_bytes()).terms,
        f"the roster\n{federation.logs()}",
    )
    for site in ("south", "west"):
        federation.approve(made, site)
    # Those that were asked before their stewards approved are asked again after a pause.
    until(
        lambda: "waits for north (not-approved)." in federation.status()["studies"][0]["message"],
        f"the wait for north alone\n{federation.logs()}",
    )
    federation.approve(made, "north")
    goes_on(federation, made, 0)
    return made


def finished(federation: Federation, study: StudyFolder) -> int:
    return seen(federation, study)["round-finished"]


def in_a_round(federation: Federation, study: StudyFolder) -> int:
    """Wait for a round to be asked for, and return how many were finished before it."""
    asked = seen(federation, study)["round-asked"]
    until(
        lambda: seen(federation, study)["round-asked"] > asked,
        f"a further round\n{federation.logs()}",
    )
    assert finished(federation, study) < ROUNDS - 1, "the study needs more rounds for all faults"
    return finished(federation, study)


def goes_on(federation: Federation, study: StudyFolder, before: int) -> None:
    """Wait until a study has finished another round."""
    until(
        lambda: finished(federation, study) > before or study.phase == "failed",
        f"the end of a round\n{federation.logs()}",
    )
    assert study.phase == "running", f"{study.state}\n{federation.logs()}"


def asked(federation: Federation, site: str) -> int:
    entries = AuditLog(SiteHome.open(federation.site(site)).audit).entries()
    return sum(entry.event == "asked" and entry.facts["what"] == "round" for entry in entries)


def at_a_site(federation: Federation, study: StudyFolder, site: str) -> int:
    """Wait for a round's request to reach a site; return how many rounds were finished before."""
    number = asked(federation, site)
    until(lambda: asked(federation, site) > number, f"a request\n{federation.logs()}")
    return finished(federation, study)


def test_the_study_server_dies(federation: Federation, study: StudyFolder) -> None:
    before = in_a_round(federation, study)
    os.kill(study.outcome.pid, signal.SIGKILL)
    goes_on(federation, study, before)
    assert seen(federation, study)["study-server-died"] >= 1


@pytest.mark.parametrize("name", ["superlink", "proxy", "superexec"])
def test_a_process_of_the_coordinator_dies(
    federation: Federation, study: StudyFolder, name: str
) -> None:
    before = in_a_round(federation, study)
    process = read_status(federation.home)["processes"][name]
    os.kill(process["pid"], signal.SIGKILL)
    goes_on(federation, study, before)
    after = read_status(federation.home)["processes"][name]
    assert after["running"]
    assert after["restarts"] == process["restarts"] + 1


@pytest.mark.parametrize("kind", ["train", f"query.{REVEAL}"])
def test_the_proxy_dies_while_it_hands_a_question_over(
    federation: Federation,
    study: StudyFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    repeated = seen(federation, study)["asked-again"]
    monkeypatch.setenv("HANDED_OVER", str(tmp_path / "handed-over"))
    monkeypatch.setenv("LOST_KIND", kind)
    monkeypatch.setenv("PYTHONPATH", path_with(FAULTS))
    federation.restart("coordinator", lambda: None)
    monkeypatch.undo()
    until((tmp_path / "handed-over").exists, f"the handing over\n{federation.logs()}")
    before = finished(federation, study)
    os.kill(read_status(federation.home)["processes"]["proxy"]["pid"], signal.SIGKILL)
    goes_on(federation, study, before)
    # The proxy may have had others' questions at that moment, too.
    assert repeated < seen(federation, study)["asked-again"] <= repeated + len(SITES)


def test_the_coordinator_dies_with_all_its_processes(
    federation: Federation, study: StudyFolder
) -> None:
    before = in_a_round(federation, study)
    federation.process("coordinator").kill()
    federation.process("coordinator").wait()
    federation.start("coordinator")
    goes_on(federation, study, before)


def test_an_abort_and_a_damaged_checkpoint(federation: Federation, study: StudyFolder) -> None:
    in_a_round(federation, study)
    command("coordinator", "abort", study.name, "--home", federation.home.root)
    until(lambda: study.state.phase == "aborted" and not study.is_served(), "the abort")
    before = study.finished_round
    (file,) = (study.job.run / "checkpoints" / f"round-{before:06}").glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    command("coordinator", "resume", study.name, "--home", federation.home.root)
    until(lambda: study.finished_round > before, f"a further round\n{federation.logs()}")
    assert seen(federation, study)["checkpoint-passed-over"] == 1


def test_an_app_dies(federation: Federation, study: StudyFolder) -> None:
    before = at_a_site(federation, study, "north")
    for app in apps(federation, "north"):
        os.kill(app, signal.SIGKILL)
    goes_on(federation, study, before)


def test_a_sites_superexec_dies(federation: Federation, study: StudyFolder) -> None:
    before = at_a_site(federation, study, "north")
    killed = superexec(federation, "north")
    os.kill(killed, signal.SIGKILL)
    goes_on(federation, study, before)
    assert superexec(federation, "north") != killed


def test_a_sites_node_dies(federation: Federation, study: StudyFolder) -> None:
    before = at_a_site(federation, study, "south")
    (node,) = children(federation.process("south").pid)
    os.kill(node, signal.SIGKILL)
    goes_on(federation, study, before)


def test_a_site_dies_with_all_its_processes(federation: Federation, study: StudyFolder) -> None:
    before = at_a_site(federation, study, "west")
    processes = list(below(federation.process("west").pid))
    federation.process("west").kill()
    federation.process("west").wait()
    until(lambda: not any(map(lives, processes)), "the end of the site's processes", 60)
    federation.start("west")
    goes_on(federation, study, before)


def test_a_study_server_dies_in_the_middle_of_sending(
    federation: Federation, study: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halted, before = tmp_path / "halted", finished(federation, study)
    monkeypatch.setenv("HALTED", str(halted))
    monkeypatch.setenv("PYTHONPATH", path_with(FAULTS))
    federation.restart("coordinator", lambda: None)
    monkeypatch.undo()
    until(halted.exists, f"the half of the message\n{federation.logs()}")
    os.kill(study.outcome.pid, signal.SIGKILL)
    goes_on(federation, study, before)


def test_a_sites_disk_is_full(federation: Federation, study: StudyFolder) -> None:
    home = federation.site("north")
    if not home.is_mount():
        pytest.skip("this user may not mount a small disk")
    filler = home / "filler"
    with filler.open("wb") as file:
        file.write(b"\0" * os.statvfs(home).f_bavail * os.statvfs(home).f_frsize)
    until(lambda: study.phase == "failed", f"the failure\n{federation.logs()}")
    assert f"north: {AuditError.code}" in study.state.message
    before = finished(federation, study)
    filler.unlink()
    command("coordinator", "resume", study.name, "--home", federation.home.root)
    until(lambda: study.phase == "running", "the resuming")
    goes_on(federation, study, before)


def test_a_cut_in_the_network(federation: Federation, study: StudyFolder) -> None:
    home, relay = SiteHome.open(federation.site("north")), Relay(federation.port)
    try:
        federation.restart(
            "north", lambda: home.change_settings(coordinator=f"127.0.0.1:{relay.port}")
        )
        before = at_a_site(federation, study, "north")
        relay.cut()
        until(
            lambda: any(not site["online"] for site in federation.status()["sites"]),
            f"the site's absence\n{federation.logs()}",
        )
        time.sleep(5)  # the length of the cut, not a wait for anything
        relay.mend()
        goes_on(federation, study, before)
    finally:
        direct = f"127.0.0.1:{federation.port}"
        federation.restart("north", lambda: home.change_settings(coordinator=direct))
        relay.close()


def test_every_site_had_its_part_in_every_round_and_paid_for_it_once(
    federation: Federation, study: StudyFolder
) -> None:
    federation.finish(study)
    entries = History(study.job.run / "history.jsonl").entries()
    assert sorted((entry.round, entry.site, entry.code) for entry in entries) == [
        (number, site, "ok") for number in range(1, ROUNDS + 1) for site in sorted(SITES)
    ]
    verify(federation.home.audit)
    events = seen(federation, study)
    assert events["attempt-lost"] == 0
    assert events["sites-suspected"] == 0
    for site in SITES:
        verify(federation.site(site) / "audit.jsonl")
        view = LedgerView.read(federation.site(site) / "data" / "chest" / "ledger")
        paid = [one.record.purpose for one in view.entries if isinstance(one.record, Reserve)]
        assert paid == [
            "statistics attempt 1",
            *(f"round {number} attempt 1" for number in range(1, ROUNDS + 1)),
        ]
        assert all(one.masked_sum for one in view.book.reservations.values())
        keys = federation.site(site) / "keys" / "studies"
        assert [path.suffix for path in keys.rglob("*") if path.is_file()] == [".over"]
