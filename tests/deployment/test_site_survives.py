"""A site's daemon whose node is killed comes back by itself and finishes the study."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from fedscan.client.daemon.home import SiteHome
from fedscan.client.daemon.status import Status, StatusFile
from loopback import Federation, until

pytestmark = pytest.mark.federation


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
    # The new node is refused until the old one counts as gone.
    log = home.logs / "supernode.log"
    until(lambda: log.read_text().count("SuperNode ID") == 2, "the node's second connection")
    study = federation.submit("lungs", "federation.min_results=1", "federation.expected_sites=1")
    federation.finish(study)
    assert status().connected
    (another,) = _children(federation.process("north").pid)
    assert another != node
