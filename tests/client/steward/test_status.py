"""What a steward sees of a daemon that is not there any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.client.doctor import examine_site
from fedscan.client.steward.enrolment import init_site
from fedscan.client.steward.home import SiteHome, SiteSettings
from fedscan.client.steward.status import Status, StatusFile
from fedscan.errors import FederationError
from typer.testing import CliRunner

#: A daemon as far as others can see it: it runs in the home and says that it is connected.
_DAEMON = """
import sys, time
from pathlib import Path
from fedscan.client.steward.home import SiteHome
from fedscan.client.steward.status import StatusFile
from fedscan.federation.supervision.service import running_in
home = SiteHome.open(Path(sys.argv[1]))
with running_in(home.run, "Site north"):
    StatusFile(home).connection("")
    print("connected", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def home(tmp_path: Path) -> SiteHome:
    init_site(tmp_path / "north", SiteSettings(name="north"))
    return SiteHome.open(tmp_path / "north")


def shown(home: SiteHome) -> str:
    result = CliRunner().invoke(app, ["site", "status", "--home", str(home.folder)])
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def doctors(home: SiteHome) -> tuple[str, str]:
    (finding,) = [one for one in examine_site(home.folder) if one.check == "daemon"]
    return finding.state, finding.message


def test_a_daemon_that_was_killed_is_told_from_one_that_was_stopped(home: SiteHome) -> None:
    assert StatusFile(home).read() == Status()
    daemon = subprocess.Popen(
        [sys.executable, "-c", _DAEMON, str(home.folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "connected\n"
        assert (StatusFile(home).read().running, StatusFile(home).read().connected) == (True, True)
    finally:
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.communicate()
    now = StatusFile(home).read()
    assert (now.running, now.connected, now.ended) == (False, False, True)
    assert "does not run" in shown(home)
    assert "it was killed, or the machine went down" in shown(home)
    assert "`fedscan site start` goes on" in shown(home)
    state, message = doctors(home)
    assert state == "warning"
    assert "it was killed" in message
    StatusFile(home).stopped()
    assert StatusFile(home).read() == Status()
    assert "killed" not in shown(home)


def test_why_a_daemon_ended_is_told_until_it_runs_again(home: SiteHome) -> None:
    StatusFile(home).ended(FederationError("The site is revoked.", hint="Ask the coordinator."))
    assert "The site is revoked. → Ask the coordinator." in shown(home)
    assert doctors(home)[0] == "warning"
