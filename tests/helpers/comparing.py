"""Compares a study in which something was killed with one in which nothing was.

Every study here asks for the same. So a site repeats for the later ones what it did for the first,
from the secrets in its ledger: all must end with the same bytes, and cost nothing twice.
"""

from __future__ import annotations

from collections import Counter

from fedscan.common.audit import AuditLog, verify
from fedscan.model.storage import generator_digest
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.coordinator.studies import StudyFolder
from fedscan.server.history import History
from loopback import SITES, Federation, until


def undisturbed(federation: Federation) -> str:
    """Run a study in which nothing is killed; return its generator's digest."""
    study = federation.submit("whole")
    federation.start()
    federation.finish(study)
    return generator_digest(study.root / "generator")


def seen(federation: Federation, study: StudyFolder) -> Counter[str]:
    """Count what the coordinator has on record of a study."""
    entries = AuditLog(federation.home.audit).entries()
    return Counter(one.event for one in entries if one.facts.get("study") == study.name)


def in_a_round(federation: Federation, study: StudyFolder, number: int) -> None:
    """Wait until a round's requests are out, and not all answers in."""
    until(
        lambda: seen(federation, study)["round-asked"] >= number,
        f"round {number}\n{federation.logs()}",
    )


def check(federation: Federation, study: StudyFolder, whole: str) -> None:
    """A study ended as the one in which nothing was killed, and nobody paid twice."""
    federation.finish(study)
    assert generator_digest(study.root / "generator") == whole
    entries = History(study.job.run / "history.jsonl").entries()
    assert sorted((entry.round, entry.site, entry.code) for entry in entries) == [
        (number, site, "ok") for number in (1, 2) for site in sorted(SITES)
    ]
    verify(federation.home.audit)
    for site in SITES:
        check_paid_once(federation, site)


def check_paid_once(federation: Federation, site: str) -> None:
    """A site's ledger and audit log are whole, and each round was paid for once."""
    verify(federation.site(site) / "audit.jsonl")
    ledger = LedgerView.read(federation.site(site) / "data" / "chest" / "ledger")
    paid = [one.record.purpose for one in ledger.entries if isinstance(one.record, Reserve)]
    assert paid == ["patient count", "round 1", "round 2"]
