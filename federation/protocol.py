"""What coordinator and site say to each other in a round, and how a message is checked.

A message is a Flower ``RecordDict`` with one ``ConfigRecord`` (:data:`CONFIG`) and one
``ArrayRecord`` (:data:`ARRAYS`). Neither side trusts the other: everything that arrives is
checked for its exact keys, types, ranges and sizes before it is used, and an error names the
key that was wrong, never its content, because the text may end up in the other side's log.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from .. import errors
from ..errors import ProtocolError
from .fields import hex_digest, integer, ledger_mark, site_name, text_list, wrong
from .wire import Tensors, pack, unpack

#: Raised whenever a message changes its meaning; both sides must agree exactly.
PROTOCOL_VERSION = 3

#: What goes into a study's digest in the version's place: studies that earlier releases began keep
#: the name that approvals and ledgers know them by.
_STUDY_VERSION = 2

#: Names of the records of every message. A request has a third one with what the warm-up changed.
CONFIG = "fedscan"
ARRAYS = "trainable"
START = "start"

#: Name of the query for the statistics that the warm-up begins with, and of its answer's tensors.
STATISTICS = "statistics"
SUMS = "sums"
DEVIATION = "deviation"

#: Name of the query for the noised composition of the training set, and of its answer's tensors,
#: besides :data:`DEVIATION`.
COMPOSITION = "composition"
PATIENTS = "patients"

#: Name of the query whether a site could take part, which costs nothing, and of the one number 1
#: in an answer that says yes.
READINESS = "readiness"
READY = "ready"

#: Name of the query for a site's keys for a study's joint sums, and of the tensor that holds them.
STUDY_KEY = "study_key"
KEY = "key"

#: Name of the query for a site's masked part of a joint sum, and of its answer's one tensor.
REVEAL = "reveal"
SUM = "sum"
#: Name of the query that tells a site that a joint study is over, and to erase its keys.
STUDY_END = "study_end"
#: Name of the query whether a site has a question in hand. Its node answers it in its turn and by
#: itself, with an error that says nothing: that it does is the answer.
PRESENCE = "presence"
#: In the answer that a part is ready, what is encapsulated to other sites, uint8 ``[sites, B]``.
ENCAPSULATED = "encapsulated"

#: Codes of a reply. Everything else that went wrong is the code of a fedscan error.
OK = "ok"
INTERNAL = "internal"
CODES = frozenset(
    {OK, INTERNAL}
    | {kind.code for kind in vars(errors).values() if isinstance(kind, type)
       and issubclass(kind, errors.FedscanError)}
)  # fmt: skip

#: Attempts at most beyond a study's rounds.
MOST_SPARE = 1000

#: Name and kind of the one entry of a record of tensors, unless it is empty.
SAFETENSORS = "safetensors"


@dataclass(frozen=True, kw_only=True, eq=False)
class RoundRequest:
    """What the coordinator asks of every site in one round; the same for all of them.

    Attributes:
        round: Number of the round, from 1; 0 asks for statistics or the composition, and carries
            no tensors. The query for readiness names what would be asked next, and carries none.
        rounds: Rounds of the whole study: a site calibrates its noise for all of them.
        base: Digest of the public generator that the tensors belong to (64 hex digits).
        terms: Sections of the study that bind a site, by name, each as JSON text.
        tensors: The current trainable tensors by name.
        start: Tensors of the base that the warm-up changed, the same in every round; empty also
            where the site has them from an earlier round, see :meth:`without_start`.
        start_digest: Digest of ``start``, empty if nothing was changed.
        attempt: Counts from 1 the times that a joint sum was begun; 0 where nothing is summed.
    """

    round: int
    rounds: int
    base: str
    terms: Mapping[str, str]
    tensors: Tensors
    start: Tensors = field(default_factory=dict)
    start_digest: str = ""
    attempt: int = 0

    def __post_init__(self) -> None:
        if self.start and not self.start_digest:
            object.__setattr__(self, "start_digest", tensors_digest(self.start))

    def without_start(self) -> RoundRequest:
        """Return the same request, with the same digest, for a site that has the start."""
        return replace(self, start={})

    def study(self) -> str:
        """Return what names the study across its rounds: the digest of all but the tensors."""
        content = [_STUDY_VERSION, self.rounds, self.base, dict(sorted(self.terms.items()))]
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()

    def digest(self) -> str:
        """Return the SHA-256 of the request's canonical bytes, in hex.

        Equal requests, and only those, have equal digests: a request repeated after a crash
        is recognised by it.
        """
        content = hashlib.sha256(f"{self.study()}:{self.round}:".encode())
        content.update(tensors_digest(self.tensors).encode())
        content.update(self.start_digest.encode())
        if self.attempt:
            content.update(f":attempt {self.attempt}".encode())
        return content.hexdigest()

    def to_records(self) -> RecordDict:
        """Return the message's content."""
        config = ConfigRecord(
            {
                "version": PROTOCOL_VERSION,
                "round": self.round,
                "rounds": self.rounds,
                "attempt": self.attempt,
                "base": self.base,
                "term-names": sorted(self.terms),
                "terms": [self.terms[name] for name in sorted(self.terms)],
                "start": self.start_digest,
            }
        )
        return RecordDict(
            {CONFIG: config, ARRAYS: _to_arrays(self.tensors), START: _to_arrays(self.start)}
        )

    @classmethod
    def from_records(cls, records: RecordDict) -> RoundRequest:
        """Read and check a message's content.

        Raises:
            ProtocolError: If anything is missing, unknown, of a wrong type or out of range.
        """
        config, tensors, start = _open(
            records,
            {"version", "round", "rounds", "attempt", "base", "term-names", "terms", "start"},
            (ARRAYS, START),
        )
        start_digest = hex_digest(config, "start") if config["start"] != "" else ""
        if start and tensors_digest(start) != start_digest:
            raise wrong("start", "must be the digest of the start")
        rounds = integer(config, "rounds", 1, 1_000_000)
        names, texts = text_list(config, "term-names"), text_list(config, "terms")
        if len(names) != len(texts) or len(set(names)) != len(names):
            raise wrong("term-names", "must be distinct, one for each of the terms")
        return cls(
            round=integer(config, "round", 0, rounds),
            rounds=rounds,
            base=hex_digest(config, "base"),
            terms=MappingProxyType(dict(zip(names, texts, strict=True))),
            tensors=tensors,
            start=start,
            start_digest=start_digest,
            attempt=integer(config, "attempt", 0, rounds + MOST_SPARE),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class RoundReply:
    """What a site answers: its new trainable tensors, or the code of what went wrong.

    Attributes:
        site: The site's own name, or empty if it does not know it.
        request: Digest of the request this answers; empty if it could not be read.
        code: :data:`OK` or one of :data:`CODES`; no other word about an error ever leaves a site.
        weight: Weight the site declares for itself; a public choice, never a patient count.
        tensors: What local training made of the tensors, in the study's form
            (:mod:`~fedscan.federation.wire`); empty unless the code is OK.
        ledger: Which ledger paid, and its last line (:class:`~.counter_signed.LedgerMark`), for
            the coordinator to sign; empty, and then not sent at all, where the coordinator signs
            none or nothing was paid.
    """

    site: str
    request: str
    code: str = OK
    weight: float = 1.0
    tensors: Tensors = field(default_factory=dict)
    ledger: str = ""

    def to_records(self) -> RecordDict:
        """Return the message's content."""
        config = ConfigRecord(
            {
                "version": PROTOCOL_VERSION,
                "site": self.site,
                "request": self.request,
                "code": self.code,
                "weight": float(self.weight),
                **({"ledger": self.ledger} if self.ledger else {}),
            }
        )
        return RecordDict({CONFIG: config, ARRAYS: _to_arrays(self.tensors)})

    @classmethod
    def from_records(cls, records: RecordDict) -> RoundReply:
        """Read and check a message's content.

        Raises:
            ProtocolError: If anything is missing, unknown, of a wrong type or out of range.
        """
        config, tensors = _open(
            records, {"version", "site", "request", "code", "weight"}, (ARRAYS,), {"ledger"}
        )
        code = config["code"]
        if code not in CODES:
            raise wrong("code", "is not a known code")
        if (code == OK) != bool(tensors):
            raise wrong(ARRAYS, "must hold tensors if and only if the code is ok")
        weight = config["weight"]
        if not isinstance(weight, float) or not math.isfinite(weight) or weight <= 0:
            raise wrong("weight", "must be a positive number")
        return cls(
            site=site_name(config),
            request=hex_digest(config, "request") if config["request"] != "" else "",
            code=str(code),
            weight=weight,
            tensors=tensors,
            ledger=ledger_mark(config, result=code == OK),
        )


def tensors_digest(tensors: Tensors) -> str:
    """Return the SHA-256 over the names, types, shapes and values of tensors, in hex."""
    content = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        head = json.dumps([name, array.dtype.str, list(tensors[name].shape)])
        content.update(f"{len(head)}:{head}".encode())
        content.update(array.tobytes())
    return content.hexdigest()


def _to_arrays(tensors: Tensors) -> ArrayRecord:
    if not tensors:
        return ArrayRecord()
    content = pack(tensors)
    array = Array(dtype="uint8", shape=(len(content),), stype=SAFETENSORS, data=content)
    return ArrayRecord({SAFETENSORS: array})


def _open(
    records: RecordDict, keys: set[str], arrays: Sequence[str], optional: Collection[str] = ()
) -> tuple[Any, ...]:
    """Check a message's outline; return its config and the decoded tensors of its records."""
    if set(records) != {CONFIG, *arrays}:
        raise wrong("records", f"must be exactly {', '.join((CONFIG, *arrays))}")
    config = records[CONFIG]
    if not isinstance(config, ConfigRecord):
        raise wrong(CONFIG, "must be a ConfigRecord")
    # The version first: another version may well have other keys.
    version = config.get("version")
    if type(version) is not int or version != PROTOCOL_VERSION:
        raise ProtocolError(
            f"The other side does not speak version {PROTOCOL_VERSION} of the protocol.",
            hint="Coordinator and sites must run the same release of fedscan.",
        )
    if set(config) - set(optional) != keys:
        raise wrong(CONFIG, f"must have exactly the keys {', '.join(sorted(keys))}")
    return config, *(_tensors(name, records[name]) for name in arrays)


def _tensors(key: str, record: Any) -> Tensors:
    if not isinstance(record, ArrayRecord):
        raise wrong(key, "must be an ArrayRecord")
    if not record:
        return MappingProxyType({})
    if set(record) != {SAFETENSORS} or record[SAFETENSORS].stype != SAFETENSORS:
        raise wrong(key, "must hold safetensors and nothing else")
    return unpack(record[SAFETENSORS].data)
