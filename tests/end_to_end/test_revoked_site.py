"""A site that is revoked comes back with new keys, and stops nobody else meanwhile."""

from __future__ import annotations

import json

import pytest
from fedscan.cli.main import app
from fedscan.errors import FederationError
from loopback import LIMIT_S, Federation, fedscan, until
from typer.testing import CliRunner

pytestmark = pytest.mark.real_processes


def registered(federation: Federation) -> str:
    return (federation.home.audit).read_text()


def says_that_it_is_revoked(federation: Federation) -> None:
    """Wait for the end of the site's daemon; each place that a steward looks at has the reason."""
    home, why = federation.site("south"), "does not accept this site's certificate"
    assert federation.process("south").wait(LIMIT_S) == FederationError.exit_status
    assert why in " ".join((federation.root / "south.log").read_text().split())
    shown = " ".join(fedscan("site", "status", "--home", home).split())
    assert why in shown
    assert "It may be revoked" in shown
    doctor = CliRunner().invoke(app, ["doctor", "--site", str(home), "--json"])
    found = {one["check"]: one for one in json.loads(doctor.stdout)}
    assert why in found["daemon"]["message"]
    assert (found["membership"]["state"], doctor.exit_code) == ("problem", 10)
    assert why in found["membership"]["message"]
    coordinator = json.loads(fedscan("doctor", "--coordinator", federation.home.root, "--json"))
    (revoked,) = [one for one in coordinator if one["check"] == "site south"]
    assert "fedscan site new-keys" in revoked["hint"]


def test_a_revoked_site_comes_back_with_new_keys(own_federation: Federation) -> None:
    federation = own_federation
    federation.start()
    federation.ready()
    fedscan("coordinator", "revoke", "south", "--home", federation.home.root)
    until(lambda: "node-unregistered" in registered(federation), "the unregistering")
    says_that_it_is_revoked(federation)

    with pytest.raises(AssertionError, match="fedscan site new-keys"):
        federation.enrol("south")
    fedscan("site", "new-keys", "--home", federation.site("south"))
    federation.enrol("south")
    federation.start("south")
    federation.ready()
    federation.finish(federation.submit("after"))


def test_a_refused_registration_stops_nobody_else_and_is_seen(own_federation: Federation) -> None:
    """The authority's record as an earlier release left it: a revoked key is a member again."""
    federation = own_federation
    federation.start("coordinator", "north")
    until(lambda: registered(federation).count("node-registered") == 2, "both registrations")
    fedscan("coordinator", "revoke", "south", "--home", federation.home.root)
    until(lambda: "node-unregistered" in registered(federation), "the unregistering")
    index = federation.home.root / "ca" / "index.json"
    entries = json.loads(index.read_text())
    for entry in entries:
        entry["revoked"] = ""
    index.write_text(json.dumps(entries))

    until(lambda: "south" in federation.status()["message"], "the refusal being shown")
    assert federation.status()["ready"]
    study = federation.submit("alone", "federation.min_results=1", approved_by=["north"])
    federation.finish(study)
    with pytest.raises(AssertionError, match="fedscan site new-keys"):
        fedscan("doctor", "--coordinator", federation.home.root)
    assert registered(federation).count('"refused"') == 1
