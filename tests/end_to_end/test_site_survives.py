"""A site's daemon brings its node back, and ends with a sentence where waiting does not help."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from fedscan.client.steward.home import SiteHome
from fedscan.client.steward.status import Status, StatusFile
from fedscan.errors import FederationError
from fedscan.federation.pki import authority, certificates
from loopback import LIMIT_S, Federation, fedscan, until

pytestmark = pytest.mark.real_processes


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def test_a_killed_node_is_started_again_and_trains(own_federation: Federation) -> None:
    federation = own_federation
    home = SiteHome.open(federation.site("north"))

    def status() -> Status:
        return StatusFile(home).read()

    def online() -> bool:
        return any(site["online"] for site in federation.status()["sites"])

    federation.start("coordinator", "north")
    until(online, "the node's first connection")
    (node,) = _children(federation.process("north").pid)
    os.kill(node, signal.SIGKILL)
    until(lambda: status().restarts >= 1, "the restart")
    assert not status().connected
    assert "Flower's node ended" in status().problem
    shown = json.loads(fedscan("doctor", "--site", home.folder, "--json"))
    (daemon,) = [one for one in shown if one["check"] == "daemon"]
    assert (daemon["state"], "supernode.log" in daemon["hint"]) == ("warning", True)
    # The new node is refused until the old one counts as gone.
    log = home.logs / "supernode.log"
    until(lambda: log.read_text().count("SuperNode ID") == 2, "the node's second connection")
    study = federation.submit("lungs", "federation.min_results=1", "federation.expected_sites=1")
    federation.finish(study)
    assert status().connected
    assert status().problem == ""
    (another,) = _children(federation.process("north").pid)
    assert another != node


def test_a_certificate_that_expires_ends_the_site_with_a_sentence(
    own_federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation = own_federation
    # Time enough for a busy machine to start everything.
    lasting = certificates._BACKDATED + timedelta(minutes=3)
    monkeypatch.setattr(authority, "_SITE_DAYS", lasting / timedelta(days=1))
    federation.enrol("north")
    federation.start("coordinator", "north")
    assert federation.process("north").wait(LIMIT_S) == FederationError.exit_status
    said = (federation.root / "north.log").read_text()
    assert "Site north is connected" in said
    assert "The site's certificate expired on" in said
    assert "Ask the coordinator for a new welcome file" in said


def test_a_renewed_certificate_is_taken_up_by_the_running_daemon(
    own_federation: Federation,
) -> None:
    federation = own_federation
    home = SiteHome.open(federation.site("north"))
    log = home.logs / "supernode.log"
    federation.start("coordinator", "north")
    until(lambda: any(site["online"] for site in federation.status()["sites"]), "a connection")
    daemon, coordinator = federation.process("north"), federation.process("coordinator")
    (node,) = _children(daemon.pid)
    # The proxy learns of the new certificate only when the coordinator goes on.
    os.kill(coordinator.pid, signal.SIGSTOP)
    federation.enrol("north")  # revokes the certificate that the daemon started with
    os.kill(node, signal.SIGKILL)
    until(lambda: "does not accept" in (federation.root / "north.log").read_text(), "a refusal")
    os.kill(coordinator.pid, signal.SIGCONT)
    until(
        lambda: log.read_text().count("SuperNode ID") == 2 or daemon.poll() is not None,
        "a connection with the new one",
    )
    assert daemon.poll() is None, (federation.root / "north.log").read_text()
    until(lambda: StatusFile(home).read().connected, "the daemon's word for it")
    assert daemon.poll() is None
