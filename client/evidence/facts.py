"""What the document says of a site, collected from its home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ... import __version__
from ...common.audit import AuditEntry
from ...common.audit.chain import AuditHead
from ..counter_signed import noted_before
from ..steward.budgets import Budget, budget_of
from ..steward.data_sets import Registry
from ..steward.gate_log import GateLog, gate_log_of
from ..steward.home import SiteHome
from ..steward.opt_outs import require_list
from ..steward.policies import PolicyInForce, policies_in_force

#: What a person decided, as the audit log calls it, and in words.
DECISIONS = {
    "study-approved": "study approved",
    "approval-withdrawn": "approval taken back",
    "study-declined": "study declined",
    "policy-changed": "policy changed",
    "data-added": "data set added",
    "data-moved": "data set moved",
    "data-retired": "data set retired",
    "labels-changed": "labels changed",
    "budget-charged": "spending entered by hand",
    "opted-out": "patients opted out",
    "paused": "site paused",
    "resumed": "site takes part again",
    "welcome-taken": "joined the federation",
    "keys-renewed": "keys renewed",
}


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Something that a person at the site decided: when (UTC), what, and about what."""

    time: str
    what: str
    about: str


@dataclass(frozen=True, kw_only=True)
class NamedDataSet:
    """A data set by its name, without where it lies; whether it is used no more."""

    name: str
    retired: bool


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All facts of the document; none of them names a patient, a file or a header's value.

    Attributes:
        site: The site's name.
        fedscan: Version of the software.
        time: When it was collected, UTC.
        coordinator: Address of the coordinator; empty before the site joined one.
        policies: The policies in force.
        data_sets: The site's data sets.
        budgets: What each of them has spent, by its name.
        decisions: What people decided, the oldest first.
        gate: What was asked, what left and what was refused.
        opt_outs: How many patients opted out.
        audit_head: The end of the audit log, each line of which was checked.
        counter_signed: When the coordinator last signed the ledgers' lines, UTC; empty if never.
        examination: An examination's record; ``None`` if there is none.
    """

    site: str
    fedscan: str
    time: str
    coordinator: str
    policies: tuple[PolicyInForce, ...]
    data_sets: tuple[NamedDataSet, ...]
    budgets: Mapping[str, Budget]
    decisions: tuple[Decision, ...]
    gate: GateLog
    opt_outs: int
    audit_head: str
    counter_signed: str
    examination: Mapping[str, Any] | None


def collect(home: SiteHome, examination: Mapping[str, Any] | None = None) -> Evidence:
    """Collect the facts of a home; nothing is changed.

    Args:
        home: The site's home.
        examination: The record of an examination of a generator that the site took part in.

    Raises:
        AuditError: If a line of the audit log was changed: there is no evidence then.
        ConfigurationError: If a file of the site is wrong.
        DataError: If the list of those who opted out is not whole.
        SignatureError: If the coordinator's counter-signature does not fit.
    """
    entries, settings = home.log.entries(), home.settings()
    data_sets = tuple(
        NamedDataSet(name=name, retired=one.retired)
        for name, one in sorted(Registry(home).data_sets().items())
    )
    counter_signed = noted_before(home)
    return Evidence(
        site=settings.name,
        fedscan=__version__,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        coordinator=settings.coordinator,
        policies=tuple(
            replace(one, path=one.path.relative_to(home.folder)) for one in policies_in_force(home)
        ),
        data_sets=data_sets,
        budgets={one.name: budget_of(home, one.name) for one in data_sets},
        decisions=tuple(_decision(one) for one in entries if one.event in DECISIONS),
        gate=gate_log_of(entries),
        opt_outs=len(require_list(home).patients),
        audit_head=str(entries[-1].head if entries else AuditHead()),
        counter_signed=counter_signed.time if counter_signed else "",
        examination=examination,
    )


def _decision(entry: AuditEntry) -> Decision:
    facts = entry.facts
    parts = [
        f"study {str(facts['study'])[:12]}" if "study" in facts else "",
        f"data set {facts['data']}" if "data" in facts else "",
        str(facts.get("reason", "")),
        str(facts.get("purpose", "")),
        ", ".join(facts.get("changed", ())),
        f"{facts['added']} added" if "added" in facts else "",
    ]
    return Decision(
        time=entry.time, what=DECISIONS[entry.event], about="; ".join(filter(None, parts))
    )
