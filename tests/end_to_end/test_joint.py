"""A joint study of three sites for real: keys, roster, approval, sums under masks, under TLS."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from fedscan.common.audit import AuditLog, verify
from fedscan.federation.invitation import Invitation
from fedscan.federation.joint.roster import ROSTER, Roster
from fedscan.federation.pki.keys import public_text, read_private_key
from fedscan.federation.wire import unpack
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.coordinator.studies import StudyFolder
from fedscan.server.history import History
from loopback import Federation, until

pytestmark = pytest.mark.real_processes

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
SITES = {"north": 6, "south": 5, "west": 4}
PAID = ["statistics attempt 1", "round 1 attempt 1", "round 2 attempt 1"]


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    if NGINX is None:
        pytest.skip("nginx is not installed (apt install nginx-light)")
    made = Federation(tmp_path_factory.mktemp("federation"), sites=SITES)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def study(federation: Federation) -> StudyFolder:
    """A finished joint study: submitted, given keys to, approved with its roster, and run."""
    made = federation.submit(
        "together",
        "privacy.sum=joint",
        "local.steps=1",
        "federation.expected_sites=3",
        "federation.min_results=3",
        approved_by=(),
    )
    federation.start()
    until(
        lambda: ROSTER in Invitation.from_json(made.invitation.read_bytes()).terms,
        f"the roster\n{federation.logs()}",
    )
    for site in SITES:
        federation.approve(made, site)
    federation.finish(made)
    return made


def test_two_rounds_end_with_every_site_in_each(federation: Federation, study: StudyFolder) -> None:
    entries = History(study.job.run / "history.jsonl").entries()
    assert sorted((entry.round, entry.site, entry.code) for entry in entries) == [
        (number, site, "ok") for number in (1, 2) for site in sorted(SITES)
    ]
    verify(federation.home.audit)
    events = Counter(entry.event for entry in AuditLog(federation.home.audit).entries())
    assert (events["key-received"], events["sum-settled"], events["attempt-lost"]) == (3, 3, 0)
    for site in SITES:
        verify(federation.site(site) / "audit.jsonl")
        view = LedgerView.read(federation.site(site) / "data" / "chest" / "ledger")
        paid = [one.record.purpose for one in view.entries if isinstance(one.record, Reserve)]
        assert paid == PAID
        assert all(one.masked_sum for one in view.book.reservations.values())


def test_the_roster_holds_keys_that_the_sites_own_identities_signed(
    federation: Federation, study: StudyFolder
) -> None:
    roster = Roster.from_text((study.job.run / "roster.json").read_text())
    for site in SITES:
        key = read_private_key(federation.site(site) / "keys" / "tls.key").public_key()
        assert roster.keys[site].identity == public_text(key)


def test_no_part_without_masks_is_anywhere_but_at_its_site(
    federation: Federation, study: StudyFolder
) -> None:
    parts: dict[str, list[bytes]] = {}
    for site in SITES:
        for file in (federation.site(site) / "data" / "chest" / "sums").rglob("*.sum"):
            values = np.asarray(unpack(file.read_bytes())["sum"])
            parts.setdefault(site, []).append(values.tobytes()[:64])
    assert {site: len(found) for site, found in parts.items()} == dict.fromkeys(SITES, 3)
    for site, found in parts.items():
        elsewhere = [
            path
            for path in federation.root.rglob("*")
            if path.is_file() and not path.is_relative_to(federation.site(site))
        ]
        for path in elsewhere:
            content = path.read_bytes()
            assert not any(one in content for one in found), (site, path)


def test_a_whole_study_again_costs_nothing(federation: Federation, study: StudyFolder) -> None:
    again = federation.submit(
        "again",
        "privacy.sum=joint",
        "local.steps=1",
        "federation.expected_sites=3",
        "federation.min_results=3",
        approved_by=(),
    )
    federation.finish(again)
    one, two = (
        (folder.job.run / "checkpoints" / "round-000002" / "state.safetensors").read_bytes()
        for folder in (study, again)
    )
    assert one == two
    for site in SITES:
        view = LedgerView.read(federation.site(site) / "data" / "chest" / "ledger")
        paid = [one.record.purpose for one in view.entries if isinstance(one.record, Reserve)]
        assert paid == PAID


def test_a_site_that_is_killed_in_a_sum_goes_on_with_the_same_bytes(
    federation: Federation, study: StudyFolder
) -> None:
    again = federation.submit(
        "killed",
        "privacy.sum=joint",
        "local.steps=1",
        "federation.expected_sites=3",
        "federation.min_results=3",
        approved_by=(),
    )
    until(
        lambda: any(
            entry.event == "sum-settled" and entry.facts.get("study") == "killed"
            for entry in AuditLog(federation.home.audit).entries()
        ),
        f"a settled sum\n{federation.logs()}",
    )
    federation.process("west").kill()
    federation.process("west").wait()
    federation.start("west")
    federation.finish(again)
    one, two = (
        (folder.job.run / "checkpoints" / "round-000002" / "state.safetensors").read_bytes()
        for folder in (study, again)
    )
    assert one == two


def test_secrets_of_a_study_are_the_owner_s_only(
    federation: Federation, study: StudyFolder
) -> None:
    for site in SITES:
        keys = federation.site(site) / "keys" / "studies"
        files = [path for path in keys.rglob("*") if path.is_file()]
        assert files
        assert {path.stat().st_mode & 0o077 for path in files} == {0}
