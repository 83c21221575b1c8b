"""The message that asks sites for their masked parts of a sum, once it is settled who is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from numpy.typing import NDArray

from ...common.names import is_name
from ...errors import ProtocolError
from ..fields import hex_digest, text_list, wrong
from ..protocol import RoundRequest
from .context import Kind, SumContext
from .pairs import ENCAPSULATION_BYTES

#: Names of the two records that a reveal has besides those of a request.
REVEALED = "reveal"
ENCAPSULATIONS = "encapsulations"


@dataclass(frozen=True, kw_only=True, eq=False)
class RevealRequest:
    """What the coordinator asks of every member of a sum.

    Attributes:
        request: The request that began the sum, without its tensors.
        message: Digest of the whole request that began it.
        members: Names of the sites whose values are in the sum, sorted.
        encapsulations: What members that come before the receiver sent to it, by name.
    """

    request: RoundRequest
    message: str
    members: tuple[str, ...]
    encapsulations: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def context(self) -> SumContext:
        """The sum that is meant."""
        return SumContext(
            study=self.request.study(),
            kind=kind_of(self.request),
            round=self.request.round,
            attempt=self.request.attempt,
            request=self.message,
            members=self.members,
        )

    def to_records(self) -> RecordDict:
        """Return the message's content."""
        records = self.request.to_records()
        names = sorted(self.encapsulations)
        records[REVEALED] = ConfigRecord(
            {
                "message": self.message,
                "members": list(self.members),
                "senders": names,
            }
        )
        content = b"".join(self.encapsulations[name] for name in names)
        array = Array(dtype="uint8", shape=(len(content),), stype="bytes", data=content)
        records[ENCAPSULATIONS] = ArrayRecord({"bytes": array} if content else {})
        return records

    @classmethod
    def from_records(cls, records: RecordDict) -> RevealRequest:
        """Read and check a message's content.

        Raises:
            ProtocolError: If anything is missing, unknown, of a wrong type or out of range.
        """
        rest = RecordDict(
            {name: one for name, one in records.items() if name not in (REVEALED, ENCAPSULATIONS)}
        )
        request = RoundRequest.from_records(rest)
        config, arrays = records.get(REVEALED), records.get(ENCAPSULATIONS)
        if request.tensors or request.start:
            raise ProtocolError("A reveal must not carry tensors.")
        if not isinstance(config, ConfigRecord) or not isinstance(arrays, ArrayRecord):
            raise wrong("records", f"must hold {REVEALED} and {ENCAPSULATIONS}")
        if set(config) != {"message", "members", "senders"}:
            raise wrong(REVEALED, "must have exactly the keys members, message, senders")
        members, senders = text_list(config, "members"), text_list(config, "senders")
        for names, key in ((members, "members"), (senders, "senders")):
            if names != sorted(set(names)) or not all(map(is_name, names)):
                raise wrong(key, "must be sites' names, sorted, each one once")
        return cls(
            request=request,
            message=hex_digest(config, "message"),
            members=tuple(members),
            encapsulations=_parts(arrays, senders),
        )


def kind_of(request: RoundRequest) -> Kind:
    """Return what a request begins the sum of: round 0 is before all training."""
    return "round" if request.round else "statistics"


def to_rows(encapsulations: Mapping[str, bytes]) -> NDArray[np.uint8]:
    """Return what a site encapsulated to others, in the order of their names, uint8 ``[S, B]``."""
    content = b"".join(encapsulations[name] for name in sorted(encapsulations))
    return np.frombuffer(content, np.uint8).reshape(-1, ENCAPSULATION_BYTES)


def from_rows(rows: NDArray[np.uint8], names: list[str]) -> dict[str, bytes]:
    """Return by name what :func:`to_rows` put one below the other.

    Raises:
        ProtocolError: If it is not one row for each name.
    """
    if rows.shape != (len(names), ENCAPSULATION_BYTES) or rows.dtype != np.uint8:
        raise ProtocolError("A site must encapsulate to each member that comes after it.")
    return {name: row.tobytes() for name, row in zip(names, rows, strict=True)}


def _parts(arrays: ArrayRecord, senders: list[str]) -> dict[str, bytes]:
    content: Any = arrays["bytes"].data if set(arrays) == {"bytes"} else b""
    if len(content) != ENCAPSULATION_BYTES * len(senders) or (arrays and not content):
        raise wrong(ENCAPSULATIONS, "must hold one part for each sender")
    return {
        name: content[start : start + ENCAPSULATION_BYTES]
        for name, start in zip(senders, range(0, len(content), ENCAPSULATION_BYTES), strict=True)
    }
