"""kill -9 of each of a site's processes in a round, a site that is gone, and a sender that is.

Each is compared with a study in which nothing was killed (see ``comparing``).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from comparing import check, seen
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import AuditLog, verify
from fedscan.errors import AuditError
from fedscan.server.exchange import UNAVAILABLE
from fedscan.server.history import History
from loopback import Federation, until
from loopback import fedscan as command
from on_import import path_with
from site_processes import apps, below, lives, superexec

pytestmark = pytest.mark.real_processes


FAULTS = Path(__file__).parent / "faults"
#: What an app says in the node's log before it asks for its message.
TAKEN = "Start `flwr-clientapp` process"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which site north has a small disk of its own, if this user may mount one."""
    root = tmp_path_factory.mktemp("federation")
    disk = root / "north"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", str(disk)]
    mounted = shutil.which("mount") and not subprocess.run(mount, capture_output=True).returncode
    yield root
    if mounted:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def asked(federation: Federation, site: str) -> int:
    """Count the rounds that a site's app was asked for."""
    entries = AuditLog(SiteHome.open(federation.site(site)).audit).entries()
    return sum(entry.event == "asked" and entry.facts["what"] == "round" for entry in entries)


def in_training(federation: Federation, site: str, before: int) -> None:
    until(
        lambda: asked(federation, site) > before,
        f"the request to reach the site\n{federation.logs()}",
    )


def test_an_app_dies_in_a_round(federation: Federation, whole: str) -> None:
    before = asked(federation, "north")
    study = federation.submit("app-killed")
    in_training(federation, "north", before)
    for app in apps(federation, "north"):
        os.kill(app, signal.SIGKILL)
    check(federation, study, whole)
    assert asked(federation, "north") >= before + 2


def test_a_sites_superexec_dies_in_a_round(federation: Federation, whole: str) -> None:
    before = asked(federation, "north")
    study = federation.submit("site-superexec-killed")
    in_training(federation, "north", before)
    killed = superexec(federation, "north")
    os.kill(killed, signal.SIGKILL)
    check(federation, study, whole)
    assert superexec(federation, "north") != killed


def test_a_site_dies_with_all_its_processes(federation: Federation, whole: str) -> None:
    before = asked(federation, "north")
    study = federation.submit("site-killed")
    in_training(federation, "north", before)
    processes = list(below(federation.process("north").pid))
    federation.process("north").kill()
    federation.process("north").wait()
    until(lambda: not any(map(lives, processes)), "the end of the site's processes", 60)
    federation.start("north")
    check(federation, study, whole)


def test_a_study_server_dies_in_the_middle_of_sending(
    federation: Federation, whole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sites have half of a message; Flower's apps would wait for the rest for 83 minutes."""
    halted = tmp_path / "halted"
    monkeypatch.setenv("HALTED", str(halted))
    monkeypatch.setenv("PYTHONPATH", path_with(FAULTS))
    federation.restart("coordinator", lambda: None)
    monkeypatch.undo()
    federation.ready()
    log = SiteHome.open(federation.site("north")).logs / "supernode.log"
    taken = log.read_text().count(TAKEN)
    study = federation.submit("half-sent")
    until(halted.exists, f"the half of the message\n{federation.logs()}")
    until(
        lambda: log.read_text().count(TAKEN) > taken,
        f"the site's taking it in\n{federation.logs()}",
    )
    waiting = apps(federation, "north")
    os.kill(study.outcome.pid, signal.SIGKILL)
    until(lambda: not any(map(lives, waiting)), f"the app's end\n{federation.logs()}", 60)
    check(federation, study, whole)
    assert seen(federation, study)["study-server-died"] == 1


def test_a_sites_disk_is_full(federation: Federation, whole: str) -> None:
    home = federation.site("north")
    if not home.is_mount():
        pytest.skip("this user may not mount a small disk")
    filler = home / "filler"
    with filler.open("wb") as file:
        file.write(b"\0" * os.statvfs(home).f_bavail * os.statvfs(home).f_frsize)
    assert os.statvfs(home).f_bavail == 0
    study = federation.submit("disk-full", approved_by=())  # what it asks for was approved before
    until(lambda: study.phase == "failed", f"the failure\n{federation.logs()}")
    assert f"north: {AuditError.code}" in study.state.message
    filler.unlink()
    command("coordinator", "resume", study.name, "--home", federation.home.root)
    check(federation, study, whole)


def test_a_site_that_is_gone_ends_a_study_that_needs_it(federation: Federation, whole: str) -> None:
    federation.process("north").kill()
    federation.process("north").wait()
    study = federation.submit(
        "all-needed", "federation.wait_timeout_s=20", "federation.expected_sites=2"
    )
    until(lambda: study.phase == "failed", f"the failure\n{federation.logs()}", 300)
    assert "1 of the 2 sites a round needs are connected after 20 seconds" in study.state.message
    federation.start("north")
    federation.ready()
    command("coordinator", "resume", study.name, "--home", federation.home.root)
    check(federation, study, whole)


@pytest.mark.usefixtures("whole")
def test_a_study_that_needs_one_site_goes_on_without_the_other_and_says_so(
    federation: Federation,
) -> None:
    before = asked(federation, "north")
    # Other terms: for these, both sites still have to pay.
    study = federation.submit("one-is-enough", "federation.min_results=1", "local.steps=3")
    in_training(federation, "north", before)
    federation.process("north").kill()
    federation.process("north").wait()
    federation.finish(study)
    entries = History(study.job.run / "history.jsonl").entries()
    assert [(entry.round, entry.site, entry.code) for entry in entries if entry.round == 1] == [
        (1, "north", UNAVAILABLE),
        (1, "south", "ok"),
    ]
    record = json.loads(study.record.read_bytes())["content"]
    assert (record["contributors"], record["sites"]["south"]) == (["south"], {"ok": 2})
    verify(federation.home.audit)
