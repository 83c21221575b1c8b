"""The entries of a ledger: what each kind says, and how it is written as one line.

A line is one JSON object: ``sequence`` (0 for the first line), ``time`` (UTC, for people;
nothing depends on it), ``previous`` (SHA-256 of the whole previous line with its newline) and
``record``, which is one of the kinds below. Nothing about a patient is in any of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from ...errors import FedscanError, PrivacyError
from ..mechanism import SubsampledGaussian

#: Raised whenever the format changes its meaning.
FORMAT: Final = 1
#: ``previous`` of the first line, which continues nothing.
NOTHING = "0" * 64

_STRICT = ConfigDict(extra="forbid", strict=True)

_DIGEST = r"^[0-9a-f]{64}$"
_LABEL = r"^[A-Za-z0-9][A-Za-z0-9 ._:/+#-]{0,119}$"
_TIME = r"^[0-9]{4}-[0-9-]{5}T[0-9:]{8}Z$"
#: The patterns in words.
_FORMS = {
    _DIGEST: "it must be 64 hexadecimal digits in small letters",
    _LABEL: "it must be 1 to 120 letters without accents, digits, blanks and any of ._:/+#-, "
    "and begin with a letter or digit",
    _TIME: "it must be a time such as 2030-01-31T12:00:00Z",
}

Digest = Annotated[str, StringConstraints(pattern=_DIGEST)]
#: Words for people, chosen by the program: no free text, no line breaks.
Label = Annotated[str, StringConstraints(pattern=_LABEL)]
Count = Annotated[int, Field(ge=0)]


def _read_mechanism(value: object) -> object:
    return SubsampledGaussian.from_dict(value) if isinstance(value, dict) else value


Mechanism = Annotated[InstanceOf[SubsampledGaussian], BeforeValidator(_read_mechanism)]
Mechanisms = Annotated[tuple[Mechanism, ...], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Genesis:
    """The first line.

    Attributes:
        format: Version of the format of all lines.
        data_set: Identity of the data set whose budget this is.
        ledger: Random name of this very ledger, so that two of one data set differ.
    """

    kind: Literal["genesis"] = "genesis"
    format: Literal[1] = FORMAT
    data_set: Label
    ledger: Digest


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Plan:
    """The noise of a study's training, calibrated once for all of its steps.

    Attributes:
        study: Digest of the study.
        epsilon: What the study as a whole may spend, at ``delta``.
        mechanism: All training steps of the study with the noise that the site adds to them.
        joint: The same with the noise of all sites that are counted on, where only a sum over
            many sites leaves.
    """

    kind: Literal["plan"] = "plan"
    study: Digest
    epsilon: float
    delta: float
    mechanism: Mechanism
    joint: Mechanism | None = None


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Reserve:
    """Budget taken for a step that is about to run; it stays taken whatever happens.

    Attributes:
        request: Digest of everything that the step's result depends on, data included.
        study: Digest of the study it belongs to, or empty.
        purpose: What for, in a few words.
        mechanisms: What the step runs on the patients, with the noise that the site adds.
        delta: Delta that the ceiling and ``epsilon`` were taken at.
        ceiling: The data set's ceiling at that time.
        epsilon: Epsilon of everything up to and with this step.
        commitment: Commitment to the step's secret; reveals nothing of it.
        joint: The mechanisms with the noise of all sites that are counted on, where only a sum
            over many sites leaves. Then ``epsilon`` counts these.
        collusion_epsilon: Epsilon of everything by the site's own noise alone, where it is not
            ``epsilon``.
        collusion_ceiling: The ceiling of that.
        honest_sites: Sites whose noise ``joint`` counts, this one included.
        colluding_sites: Other sites that may work with the coordinator without its being less.
    """

    kind: Literal["reserve"] = "reserve"
    request: Digest
    study: Digest | Literal[""]
    purpose: Label
    mechanisms: Mechanisms
    delta: float
    ceiling: float
    epsilon: float
    commitment: Digest
    joint: Mechanisms | None = None
    collusion_epsilon: float | None = None
    collusion_ceiling: float | None = None
    honest_sites: Count | None = None
    colluding_sites: Count | None = None


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Complete:
    """The one result that may leave the site for a reservation.

    Attributes:
        reservation: Sequence number of the :class:`Reserve`.
        result: Digest of the result. That of a joint sum leaves only under masks:
        roster: Digest of the one roster of sites whose sum it may be opened in.
        masked_sum: Digest of the one masked form that may leave.
    """

    kind: Literal["complete"] = "complete"
    reservation: Count
    result: Digest
    roster: Digest | None = None
    masked_sum: Digest | None = None


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Refuse:
    """A step that was not run because it would have passed a ceiling; it spent nothing.

    Attributes:
        epsilon: What the total would have become; ``None`` if unbounded.
        joint: See :class:`Reserve`.
        collusion_epsilon: What the total by the site's own noise would have become, where it
            is not ``epsilon``; also left out if unbounded.
        collusion_ceiling: The ceiling of that.
    """

    kind: Literal["refuse"] = "refuse"
    request: Digest
    study: Digest | Literal[""]
    purpose: Label
    mechanisms: Mechanisms
    delta: float
    ceiling: float
    epsilon: float | None
    joint: Mechanisms | None = None
    collusion_epsilon: float | None = None
    collusion_ceiling: float | None = None


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Erase:
    """The secrets of all completed reservations before a sequence number are gone."""

    kind: Literal["erase"] = "erase"
    before: Count


Record = Annotated[
    Genesis | Plan | Reserve | Complete | Refuse | Erase, Field(discriminator="kind")
]


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Entry:
    """One line: a record and its place in the chain."""

    sequence: Count
    time: Annotated[str, StringConstraints(pattern=_TIME)]
    previous: Digest
    record: Record


_ENTRY = TypeAdapter(Entry)


R = TypeVar("R", Genesis, Plan, Reserve, Complete, Refuse, Erase)


def make(kind: type[R], **values: Any) -> R:
    """Build a record from a caller's values.

    Raises:
        PrivacyError: If a value has the wrong form.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = first["loc"][0] if first["loc"] else "value"
        raise PrivacyError(
            f"A ledger entry cannot hold {where} = {first['input']!r}: {_said(first)}."
        ) from None


def _said(problem: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, a pattern in words."""
    return _FORMS.get(problem.get("ctx", {}).get("pattern", ""), problem["msg"])


def encode(entry: Entry) -> bytes:
    """Return the line of an entry, with its newline."""
    line = {
        "sequence": entry.sequence,
        "time": entry.time,
        "previous": entry.previous,
        "record": record_to_dict(entry.record),
    }
    return json.dumps(line, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def decode(line: bytes) -> Entry:
    """Read one line.

    Raises:
        ValueError: If it is not exactly one well-formed entry; says what is wrong.
    """
    try:
        return _ENTRY.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "line"
        raise ValueError(f"{where}: {_said(first)}") from None
    except FedscanError as error:
        raise ValueError(error.message) from None


def record_to_dict(record: Record) -> dict[str, Any]:
    """Return a record as plain JSON values, in the order of its fields.

    What came with joint sums is left out of records that are of none: they are written as before.
    """
    values = {field: getattr(record, field.name) for field in fields(record)}
    return {
        field.name: _plain(value)
        for field, value in values.items()
        if value is not None or field.default is not None
    }


def line_digest(line: bytes) -> str:
    """Return what the next line calls ``previous``: SHA-256 of the line with its newline."""
    return hashlib.sha256(line).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.to_dict() if isinstance(value, SubsampledGaussian) else value
