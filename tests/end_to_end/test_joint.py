"""A joint study of three sites for real: keys, roster, approval, sums under masks, under TLS."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from fedscan.common.audit import AuditLog, verify
from fedscan.errors import ProtocolError
from fedscan.federation.invitation import Invitation
from fedscan.federation.joint.roster import ROSTER, Roster
from fedscan.federation.pki.keys import public_text, read_private_key
from fedscan.federation.wire import unpack
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.coordinator.studies import StudyFolder
from fedscan.server.history import History
from loopback import Federation, until
from loopback import fedscan as command

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


@dataclass(frozen=True)
class Lasting:
    """What a study's sites had while it lasted, which is erased at its end."""

    #: The first bytes of each part without masks, by site and file.
    parts: dict[tuple[str, str], bytes] = field(default_factory=dict)
    #: Modes of the files with keys.
    modes: set[int] = field(default_factory=set)

    def look(self, federation: Federation) -> None:
        for site in SITES:
            home = federation.site(site)
            for file in (home / "data" / "chest" / "sums").rglob("*.sum"):
                try:
                    content = np.asarray(unpack(file.read_bytes())["sum"]).tobytes()
                except (FileNotFoundError, ProtocolError):
                    continue  # it is just being erased
                self.parts[site, file.name] = content[:64]
            for file in (home / "keys" / "studies").rglob("*.*"):
                with contextlib.suppress(FileNotFoundError):
                    self.modes.add(file.stat().st_mode & 0o777)


@pytest.fixture(scope="module")
def lasting() -> Lasting:
    return Lasting()


def begun(federation: Federation, name: str, *changes: str) -> StudyFolder:
    """Submit a joint study, wait for its roster, and approve it everywhere."""
    made = federation.submit(
        name,
        "privacy.sum=joint",
        "local.steps=1",
        "federation.expected_sites=3",
        "federation.min_results=3",
        *changes,
        approved_by=(),
    )
    until(
        lambda: ROSTER in Invitation.from_json(made.invitation.read_bytes()).terms,
        f"the roster\n{federation.logs()}",
    )
    for site in SITES:
        federation.approve(made, site)
    return made


@pytest.fixture(scope="module")
def study(federation: Federation, lasting: Lasting) -> StudyFolder:
    """A finished joint study: submitted, given keys to, approved with its roster, and run."""
    federation.start()
    made = begun(federation, "together")

    def is_over() -> bool:
        lasting.look(federation)
        return made.phase not in ("waiting", "running")

    until(is_over, f"the end\n{federation.logs()}")
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
        assert purposes(federation.site(site)) == PAID
        assert all(one.masked_sum for one in view.book.reservations.values())


def test_the_roster_holds_keys_that_the_sites_own_identities_signed(
    federation: Federation, study: StudyFolder
) -> None:
    roster = Roster.from_text((study.job.run / "roster.json").read_text())
    for site in SITES:
        key = read_private_key(federation.site(site) / "keys" / "tls.key").public_key()
        assert roster.keys[site].identity == public_text(key)


def test_no_part_without_masks_is_anywhere_but_at_its_site_and_there_only_until_the_end(
    federation: Federation, study: StudyFolder, lasting: Lasting
) -> None:
    counts = Counter(site for site, _ in lasting.parts)
    assert counts == dict.fromkeys(SITES, 3)
    for path in federation.root.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for (site, _), part in lasting.parts.items():
                assert part not in content, (site, path)


def test_keys_were_the_owners_only_and_are_erased_at_the_end(
    federation: Federation, study: StudyFolder, lasting: Lasting
) -> None:
    assert lasting.modes == {0o600}
    for site in SITES:
        keys = federation.site(site) / "keys" / "studies"
        assert [path.suffix for path in keys.rglob("*") if path.is_file()] == [".over"]
        events = [
            entry.event for entry in AuditLog(federation.site(site) / "audit.jsonl").entries()
        ]
        assert events.count("keys-erased") == 1
        shown = json.loads(command("site", "status", "--json", "--home", federation.site(site)))
        assert shown["joint"][0]["keys_erased"]
    erased = [
        (entry.facts["site"], entry.facts["code"])
        for entry in AuditLog(federation.home.audit).entries()
        if entry.event == "keys-erased"
    ]
    assert sorted(erased) == [(site, "ok") for site in sorted(SITES)]
    record = json.loads(study.record.read_bytes())["content"]
    assert record["keys_erased"] == sorted(SITES)


def test_a_study_that_is_over_cannot_be_repeated_and_costs_nothing(
    federation: Federation, study: StudyFolder
) -> None:
    again = federation.submit(
        "again",
        "privacy.sum=joint",
        "local.steps=1",
        "federation.expected_sites=3",
        "federation.min_results=3",
        approved_by=(),
    )
    until(lambda: again.phase == "failed", f"the refusal\n{federation.logs()}")
    assert "study-over" in again.state.message
    for site in SITES:
        assert purposes(federation.site(site)) == PAID


def test_a_site_that_is_killed_in_a_sum_goes_on_and_pays_nothing_twice(
    federation: Federation, study: StudyFolder
) -> None:
    killed = begun(federation, "killed", "privacy.clip_norm=1.1")
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
    federation.finish(killed)
    entries = History(killed.job.run / "history.jsonl").entries()
    assert sorted((entry.round, entry.site) for entry in entries) == [
        (number, site) for number in (1, 2) for site in sorted(SITES)
    ]
    for site in SITES:
        assert purposes(federation.site(site)) == [*PAID, *PAID]


def purposes(home: Path) -> list[str]:
    view = LedgerView.read(home / "data" / "chest" / "ledger")
    return [one.record.purpose for one in view.entries if isinstance(one.record, Reserve)]
