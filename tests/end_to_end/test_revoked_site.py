"""A site that is revoked comes back with new keys, and stops nobody else meanwhile."""

from __future__ import annotations

import json

import pytest
from loopback import Federation, fedscan, until

pytestmark = pytest.mark.real_processes


def registered(federation: Federation) -> str:
    return (federation.home.audit).read_text()


def test_a_revoked_site_comes_back_with_new_keys(own_federation: Federation) -> None:
    federation = own_federation
    federation.start()
    federation.ready()
    fedscan("coordinator", "revoke", "south", "--home", federation.home.root)
    until(lambda: "node-unregistered" in registered(federation), "the unregistering")
    federation.process("south").terminate()
    federation.process("south").wait()

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
