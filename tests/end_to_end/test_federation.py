"""Everything for real: proxy, SuperLink, SuperExec and two sites' daemons, under TLS.

The tests of this file build on one another, because starting it all takes longest.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
from collections import Counter
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from fedscan.common.audit import AuditLog, verify
from fedscan.federation.pki.keys import new_key, public_pem, read_private_key, write_private_key
from fedscan.model.storage import load_generator
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.coordinator.processes import find_program
from fedscan.server.history import History
from loopback import SITES, Federation, fedscan, free_port, until

pytestmark = pytest.mark.real_processes

#: A refused node of Flower gives up at once; importing what it needs takes its time.
NODE_ENDS_WITHIN_S = 180.0

PATHS = [
    "/",
    "/docs",
    "/openapi.json",
    "/health",
    "/v1/control/list-runs",
    "/v1/control/list-nodes",
    "/v1/control/register-node",
    "/v1/control/start-run",
    "/v1/runtime/acquire-task",
    "/v1/runtime/pull-app-messages",
    "/v1/fleet/register-node",
    "/v1/fleet/unregister-node",
]
CALLS = [
    "/v1/fleet/activate-node",
    "/v1/fleet/pull-messages",
    "/v1/fleet/push-messages",
    "/v1/fleet/get-run",
    "/v1/fleet/get-fab",
    "/v1/fleet/pull-object",
]


def events(log) -> Counter[str]:
    return Counter(entry.event for entry in AuditLog(log).entries())


def test_two_rounds_end_in_a_signed_generator(federation: Federation) -> None:
    study = federation.submit("lungs")
    federation.start()
    federation.finish(study)
    load_generator(study.root / "generator")
    entries = History(study.job.run / "history.jsonl").entries()
    assert sorted((entry.round, entry.site, entry.code) for entry in entries) == [
        (number, site, "ok") for number in (1, 2) for site in sorted(SITES)
    ]
    shown = fedscan(
        *("coordinator", "verify", study.record, "--generator", study.root / "generator"),
        *("--key", federation.home.record_key.with_suffix(".pub")),
    )
    assert "north, south" in shown


def test_the_doctor_finds_nothing_wrong_on_either_side(federation: Federation) -> None:
    for words in (
        ("--coordinator", federation.home.root),
        *(("--site", federation.site(site)) for site in SITES),
    ):
        found = {one["check"]: one for one in json.loads(fedscan("doctor", *words, "--json"))}
        assert [one for one in found.values() if one["state"] == "problem"] == []
    assert "accepts this site's certificate" in found["membership"]["message"]
    assert "ledger is intact" in found["ledger of chest"]["message"]


def test_both_sides_have_it_on_record(federation: Federation) -> None:
    verify(federation.home.audit)
    seen = events(federation.home.audit)
    assert seen["site-enrolled"] == seen["node-registered"] == len(SITES)
    assert (seen["study-started"], seen["study-finished"]) == (1, 1)
    assert (seen["round-asked"], seen["round-answered"], seen["round-finished"]) == (2, 4, 2)
    for site in SITES:
        verify(federation.site(site) / "audit.jsonl")
        ledger = LedgerView.read(federation.site(site) / "data" / "chest" / "ledger")
        paid = [e.record.purpose for e in ledger.entries if isinstance(e.record, Reserve)]
        assert paid == ["patient count", "round 1", "round 2"]


def test_a_changed_record_or_generator_is_noticed(federation: Federation, tmp_path) -> None:
    study = federation.home.studies / "lungs"
    key = federation.home.record_key.with_suffix(".pub")
    changed = json.loads((study / "record.json").read_bytes())
    changed["content"]["rounds"] = 9
    (tmp_path / "record.json").write_text(json.dumps(changed))
    with pytest.raises(AssertionError, match="signature does not fit"):
        fedscan("coordinator", "verify", tmp_path / "record.json", "--key", key)
    with pytest.raises(
        AssertionError, match=r"is not as it was released|not the one of the record"
    ):
        fedscan(
            *("coordinator", "verify", study / "record.json", "--key", key),
            *("--generator", federation.base),
        )


def call(federation: Federation, path: str, headers=None, site: str | None = None) -> int:
    """Call the public port with the authority's certificate, and a site's own if it is named."""
    context = ssl.create_default_context(cafile=federation.home.authority.certificate_file)
    if site is not None:
        home = federation.site(site)
        context.load_cert_chain(home / "client.crt", home / "keys" / "tls.key")
    connection = HTTPSConnection("127.0.0.1", federation.port, context=context, timeout=60)
    try:
        connection.request("POST", path, body=b"", headers=headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


def node_header(key) -> dict[str, str]:
    return {"flwr-public-key": base64.b64encode(public_pem(key.public_key())).decode()}


@pytest.mark.parametrize("path", PATHS + CALLS)
def test_a_stranger_with_the_authoritys_certificate_gets_nothing(
    federation: Federation, path: str
) -> None:
    assert call(federation, path) == 400


@pytest.mark.parametrize("path", PATHS)
def test_a_member_reaches_nothing_but_the_calls_of_its_node(
    federation: Federation, path: str
) -> None:
    key = read_private_key(federation.site("north") / "keys" / "node.key")
    assert call(federation, path, node_header(key), "north") == 404


@pytest.mark.parametrize("path", CALLS)
def test_a_member_cannot_use_another_nodes_key(federation: Federation, path: str) -> None:
    south = read_private_key(federation.site("south") / "keys" / "node.key")
    assert call(federation, path, node_header(south), "north") == 403
    assert call(federation, path, node_header(new_key()), "north") == 403
    assert call(federation, path, {}, "north") == 403


def test_a_strangers_node_never_joins(federation: Federation, tmp_path) -> None:
    """Flower's own node, with its own key and the authority's certificate only."""
    write_private_key(tmp_path / "node.key", new_key(), openssh=True)
    command = [
        *(sys.executable, "-c"),
        "from flwr.supernode.cli import flower_supernode; flower_supernode()",
        *("--superlink", f"127.0.0.1:{federation.port}", "--max-retries", "1"),
        *("--root-certificates", str(federation.home.authority.certificate_file)),
        *("--auth-supernode-private-key", str(tmp_path / "node.key")),
        *("--port", str(free_port())),
    ]
    # Flower's node looks for its SuperExec by name, and without it dies but never ends.
    beside = str(Path(find_program("flower-superexec")).parent)
    environment = {**os.environ, "PATH": os.pathsep.join([beside, os.environ["PATH"]])}
    said = tmp_path / "node.log"
    # No pipe: the node's own child holds on to it until the node is waited for.
    with said.open("wb") as log:
        node = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        node.wait(NODE_ENDS_WITHIN_S)
    finally:
        node.kill()
        node.wait()
    assert "Failed to initialize the connection to the SuperLink" in said.read_text()
    assert "400 Bad Request" in said.read_text(), "it was the proxy that refused it"
    assert node.returncode != 0
    assert {site["site"] for site in federation.status()["sites"]} == set(SITES)


def test_a_revoked_site_is_refused_at_once(federation: Federation) -> None:
    key = read_private_key(federation.site("south") / "keys" / "node.key")
    assert call(federation, CALLS[0], node_header(key), "south") not in (400, 403, 404)
    fedscan("coordinator", "revoke", "south", "--home", federation.home.root)
    until(
        lambda: call(federation, CALLS[0], node_header(key), "south") == 400,
        "the proxy's refusal",
    )
    until(lambda: events(federation.home.audit)["node-unregistered"] == 1, "the unregistering")
    assert [site["site"] for site in federation.status()["sites"]] == ["north"]
