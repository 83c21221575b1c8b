"""The message that opens a sum: read as it was written, and nothing else is read."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.errors import ProtocolError
from fedscan.federation.joint.messages import RevealRequest, from_rows, to_rows
from fedscan.federation.joint.pairs import ENCAPSULATION_BYTES
from fedscan.federation.protocol import RoundRequest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.sets(st.sampled_from(["east", "north", "south", "west"]))


def _reveal(members: set[str], senders: set[str], number: int = 3) -> RevealRequest:
    request = RoundRequest(
        round=number, rounds=5, base="0" * 64, terms={"a": "1"}, tensors={}, attempt=2
    )
    content = {name: name.encode().ljust(ENCAPSULATION_BYTES, b"x") for name in senders}
    return RevealRequest(
        request=request,
        message="7" * 64,
        members=tuple(sorted(members)),
        encapsulations=content,
    )


@given(NAMES, NAMES, st.integers(0, 5))
def test_it_is_read_as_it_was_written(members: set[str], senders: set[str], number: int) -> None:
    sent = _reveal(members, senders, number)
    read = RevealRequest.from_records(sent.to_records())
    assert read.members == sent.members
    assert dict(read.encapsulations) == dict(sent.encapsulations)
    assert read.context == sent.context
    assert read.context.kind == ("round" if number else "statistics")
    assert read.request.digest() == sent.request.digest()


def _changed(name: str, key: str, value: object) -> RecordDict:
    records = _reveal({"east", "north"}, {"east"}).to_records()
    record = records[name]
    assert isinstance(record, ConfigRecord)
    record[key] = value  # type: ignore[assignment]
    return records


@pytest.mark.parametrize(
    "records",
    [
        _changed("reveal", "members", ["north", "east"]),
        _changed("reveal", "members", ["east", "east"]),
        _changed("reveal", "members", ["Doe, Jane"]),
        _changed("reveal", "members", "east"),
        _changed("reveal", "senders", ["east", "north"]),
        _changed("reveal", "message", "7"),
        _changed("reveal", "unmasked", True),
        _changed("fedscan", "attempt", -1),
        _changed("fedscan", "version", 2),
    ],
)
def test_whatever_is_wrong_is_refused(records: RecordDict) -> None:
    with pytest.raises(ProtocolError):
        RevealRequest.from_records(records)


def test_it_carries_no_model_and_no_record_of_another_kind() -> None:
    sent = _reveal({"east", "north"}, set())
    records = sent.to_records()
    for name in ("reveal", "encapsulations"):
        rest = RecordDict({key: one for key, one in records.items() if key != name})
        with pytest.raises(ProtocolError):
            RevealRequest.from_records(rest)
    records["more"] = ConfigRecord({})
    with pytest.raises(ProtocolError):
        RevealRequest.from_records(records)
    records = sent.to_records()
    array = Array(dtype="uint8", shape=(3,), stype="bytes", data=b"abc")
    records["encapsulations"] = ArrayRecord({"bytes": array})
    with pytest.raises(ProtocolError):
        RevealRequest.from_records(records)


def test_a_row_is_one_site_s() -> None:
    content = {name: name.encode().ljust(ENCAPSULATION_BYTES, b"x") for name in ("b", "a")}
    rows = to_rows(content)
    assert from_rows(rows, ["a", "b"]) == content
    assert to_rows({}).shape == (0, ENCAPSULATION_BYTES)
    with pytest.raises(ProtocolError):
        from_rows(rows, ["a"])
    with pytest.raises(ProtocolError):
        from_rows(rows.astype(np.int8), ["a", "b"])


def test_an_attempt_is_another_request_and_none_is_an_old_one() -> None:
    def request(attempt: int) -> RoundRequest:
        return RoundRequest(round=1, rounds=2, base="0" * 64, terms={}, tensors={}, attempt=attempt)

    assert len({request(number).digest() for number in range(3)}) == 3
    assert len({request(number).study() for number in range(3)}) == 1
    assert RoundRequest.from_records(request(2).to_records()).attempt == 2
