"""The audit log in plain words, for the steward's page: what each kind of line is about."""

from __future__ import annotations

from collections.abc import Mapping

from ...common.audit import AuditEntry
from ..evidence.facts import DECISIONS
from ..steward.gate_log import asked_in_words

_QUESTION = "asked"
#: What happened, by the name that the audit log has for it.
EVENTS: Mapping[str, str] = {
    **DECISIONS,
    "site-created": "site set up",
    "data-refreshed": "data set fetched anew from the PACS",
    "removed-absent": "removed what was kept of patients who left",
    "ledger-settled": "ledger holds what was entered by hand",
    "evidence-written": "evidence written and signed",
    "scores-released": "noised scores of a generator released",
    _QUESTION: "coordinator asked",
    "answered": "answer left",
    "refused": "answered with a code alone",
    "bundle-refused": "another program of the coordinator refused; the site's own one ran",
    "paid-again": "paid for another attempt",
    "study-key-given": "public keys for a joint study given",
    "keys-erased": "keys for a joint study erased",
}


def in_words(entry: AuditEntry) -> str:
    """Say what a line of the audit log is about; what no words are known for, by its name."""
    words = EVENTS.get(entry.event, entry.event)
    if entry.event != _QUESTION:
        return words
    what, number = str(entry.facts.get("what")), int(entry.facts.get("round", 0))
    return f"{words}: {asked_in_words(what, number)}"
