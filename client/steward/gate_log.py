"""What the egress gate let out and what was refused, as the audit log has it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...common.audit import AuditEntry
from .home import SiteHome

_REVEAL = "reveal"
#: What was asked for, by its name in the audit log, in words.
ASKED: Mapping[str, str] = {
    "round": "training round",
    "statistics": "statistics",
    "composition": "numbers for a data card",
    "readiness": "plain yes",
    "study-key": "public keys for a joint study",
    _REVEAL: "masked part of a joint sum",
    "study-end": "end of a joint study",
}


def asked_in_words(what: str, number: int) -> str:
    """Say what was asked for.

    Args:
        what: Its name in the audit log.
        number: Number of the round; 0 is before the first one.
    """
    words = ASKED.get(what, what)
    if what == _REVEAL:
        return f"{words}, of round {number}" if number else f"{words}, of the statistics"
    return f"{words} {number}" if what == "round" else words


@dataclass(frozen=True, kw_only=True)
class DepartedTensor:
    """One tensor of an answer: its name, type and shape, and the SHA-256 of its bytes."""

    name: str
    type: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Departure:
    """One answer that left with something in it.

    Attributes:
        line: Number of its line in the audit log.
        time: When it was put on record, just before it left, UTC.
        what: What was asked for, one of :data:`ASKED`.
        study: Digest of the study.
        round: Number of the round; 0 is before the first one.
        request: Digest of what it answers.
        data: The data set.
        weight: The weight that was declared with it.
        norm: How far the update moved the weights; ``None`` where it is no update.
        ledger: Head of the ledger that had paid; empty where nothing was to be paid.
        tensors: What was in it.
    """

    line: int
    time: str
    what: str
    study: str
    round: int
    request: str
    data: str
    weight: float
    norm: float | None
    ledger: str
    tensors: tuple[DepartedTensor, ...]

    @property
    def words(self) -> str:
        """What it was, in words."""
        return asked_in_words(self.what, self.round)

    @property
    def digest(self) -> str:
        """SHA-256 of the list of its tensors as JSON: one line that stands for all of them."""
        lines = [[one.name, one.type, list(one.shape), one.sha256] for one in self.tensors]
        return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class GateLog:
    """All that was asked, and what became of it.

    Attributes:
        requests: How many requests there were.
        departures: What left, the oldest first.
        refusals: How many answers were a code alone, by the code.
    """

    requests: int
    departures: tuple[Departure, ...]
    refusals: Mapping[str, int]


def gate_log(home: SiteHome) -> GateLog:
    """Read the audit log, each line of which is checked.

    Raises:
        AuditError: If there is none, or a line was changed.
    """
    return gate_log_of(home.log.entries())


def gate_log_of(entries: Iterable[AuditEntry]) -> GateLog:
    """Collect what entries of an audit log say of requests and answers."""
    questions: dict[str, Mapping[str, Any]] = {}
    requests, departures, refusals = 0, [], Counter[str]()
    for entry in entries:
        facts = entry.facts
        if entry.event == "asked":
            requests += 1
            questions[str(facts.get("request"))] = facts
        elif entry.event == "refused":
            refusals[str(facts.get("code"))] += 1
        elif entry.event == "answered":
            question = questions.get(str(facts.get("request")), {})
            departures.append(_departure(entry, question))
    return GateLog(requests=requests, departures=tuple(departures), refusals=dict(refusals))


def _departure(entry: AuditEntry, question: Mapping[str, Any]) -> Departure:
    facts, norm = entry.facts, entry.facts.get("norm")
    # A part that leaves under masks names the request that began the sum, and for whom it is.
    what = _REVEAL if "members" in facts else str(question.get("what", ""))
    return Departure(
        line=entry.sequence,
        time=entry.time,
        what=what,
        study=str(question.get("study", "")),
        round=int(question.get("round", 0)),
        request=str(facts.get("request", "")),
        data=str(facts.get("data", "")),
        weight=float(facts.get("weight", 1.0)),
        norm=None if norm is None else float(norm),
        ledger=str(facts.get("ledger", "")),
        tensors=tuple(
            DepartedTensor(name=name, type=kind, shape=tuple(shape), sha256=digest)
            for name, kind, shape, digest in facts.get("tensors", ())
        ),
    )
