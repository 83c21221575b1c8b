from __future__ import annotations

import numpy as np
import pytest
from fedscan.errors import ProtocolError
from fedscan.federation.protocol import (
    ARRAYS,
    CODES,
    CONFIG,
    OK,
    SAFETENSORS,
    RoundReply,
    RoundRequest,
    tensors_digest,
)
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

_HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
_NAMES = st.text("abcXYZ019_.-", min_size=1, max_size=12)
_TENSORS = st.dictionaries(
    _NAMES,
    arrays.arrays(
        dtype=st.sampled_from([np.float32, np.float64, np.float16]),
        shape=arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def _requests(draw: st.DrawFn) -> RoundRequest:
    rounds = draw(st.integers(1, 1000))
    return RoundRequest(
        round=draw(st.integers(1, rounds)),
        rounds=rounds,
        base=draw(_HEX),
        terms=draw(st.dictionaries(_NAMES, st.text(max_size=30), max_size=4)),
        tensors=draw(_TENSORS),
        start=draw(st.just({}) | _TENSORS),
    )


def _replies() -> st.SearchStrategy[RoundReply]:
    good = st.builds(
        RoundReply,
        site=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
        request=_HEX,
        weight=st.floats(1e-3, 1e3),
        tensors=_TENSORS,
        ledger=st.just("") | st.builds("{}:{}".format, _HEX, _HEX),
    )
    bad = st.builds(
        RoundReply,
        site=st.just(""),
        request=st.just(""),
        code=st.sampled_from(sorted(CODES - {OK})),
    )
    return good | bad


def _same(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> bool:
    return tensors_digest(ours) == tensors_digest(theirs)


def _request(**changes: object) -> RoundRequest:
    values = {
        "round": 1,
        "rounds": 2,
        "base": "0" * 64,
        "terms": {"local": "{}"},
        "tensors": {"w": np.zeros((2, 3), np.float32)},
    }
    return RoundRequest(**(values | changes))


@given(_requests())
@settings(max_examples=60, deadline=None)
def test_a_request_survives_the_journey(request: RoundRequest) -> None:
    received = RoundRequest.from_records(request.to_records())
    assert received.digest() == request.digest()
    assert (received.round, received.rounds, received.base) == (
        request.round,
        request.rounds,
        request.base,
    )
    assert dict(received.terms) == dict(request.terms)
    assert _same(received.tensors, request.tensors)
    assert _same(received.start, request.start)


@given(_replies())
@settings(max_examples=60, deadline=None)
def test_a_reply_survives_the_journey(reply: RoundReply) -> None:
    received = RoundReply.from_records(reply.to_records())
    for field in ("site", "request", "code", "weight", "ledger"):
        assert getattr(received, field) == getattr(reply, field)
    assert _same(received.tensors, reply.tensors)


def test_a_transposed_tensor_survives_the_journey() -> None:
    tensors = {"w": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    request = _request(tensors=tensors)
    assert _same(RoundRequest.from_records(request.to_records()).tensors, tensors)


def test_the_digest_tells_apart_whatever_differs() -> None:
    zeros = np.zeros((2, 3), np.float32)
    variants = [
        _request(),
        _request(round=2),
        _request(rounds=3),
        _request(base="1" * 64),
        _request(terms={"local": "{ }"}),
        _request(terms={"loca": "l{}"}),
        _request(tensors={"w": zeros + 1}),
        _request(tensors={"v": zeros}),
        _request(tensors={"w": zeros.T.copy()}),
        _request(tensors={"w": zeros.astype(np.float64)}),
        _request(tensors={"w": zeros, "x": zeros}),
        _request(start={"x": zeros}),
        _request(start={"x": zeros + 1}),
    ]
    assert len({request.digest() for request in variants}) == len(variants)
    assert _request().digest() == _request().digest()


def test_a_request_without_its_start_has_the_same_digest() -> None:
    whole = _request(start={"x": np.zeros((2, 3), np.float32)})
    short = RoundRequest.from_records(whole.without_start().to_records())
    assert not short.start
    assert short.digest() == whole.digest() != _request().digest()


def test_a_start_that_is_not_the_one_named_is_refused() -> None:
    records = _request(start={"x": np.zeros((2, 3), np.float32)}).to_records()
    records[CONFIG]["start"] = "0" * 64
    with pytest.raises(ProtocolError):
        RoundRequest.from_records(records)


def test_the_study_is_the_same_in_all_rounds() -> None:
    later = _request(round=2, tensors={"w": np.ones((2, 3), np.float32)})
    assert _request().study() == later.study()
    assert _request().study() != _request(rounds=3).study()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 1),
        ("version", True),
        ("round", -1),
        ("round", 3),
        ("round", True),
        ("round", 1.0),
        ("rounds", "2"),
        ("start", "0" * 63),
        ("start", "PatientDoe"),
        ("base", "0" * 63),
        ("base", "PatientDoe" + "0" * 54),
        ("term-names", ["local", "local"]),
        ("terms", [1]),
        ("terms", ["x" * 600_000]),
    ],
)
def test_a_wrong_value_is_refused_by_key_and_not_repeated(key: str, value: object) -> None:
    records = _request().to_records()
    records[CONFIG][key] = value
    with pytest.raises(ProtocolError) as failure:
        RoundRequest.from_records(records)
    assert "Patient" not in str(failure.value)
    if key != "version":
        assert key.split("-")[0] in str(failure.value)


@pytest.mark.parametrize("key", ["version", "round", "base", "terms"])
def test_a_missing_key_is_refused(key: str) -> None:
    records = _request().to_records()
    del records[CONFIG][key]
    with pytest.raises(ProtocolError):
        RoundRequest.from_records(records)


def test_unknown_keys_and_records_are_refused() -> None:
    records = _request().to_records()
    records[CONFIG]["extra"] = 1
    with pytest.raises(ProtocolError):
        RoundRequest.from_records(records)
    records = _request().to_records()
    records["extra"] = ConfigRecord()
    with pytest.raises(ProtocolError):
        RoundRequest.from_records(records)
    with pytest.raises(ProtocolError):
        RoundRequest.from_records(RecordDict({CONFIG: ArrayRecord(), ARRAYS: ConfigRecord()}))


@pytest.mark.parametrize(
    "record",
    [
        ArrayRecord({"w": Array(np.zeros((2, 3), np.float32))}),
        ArrayRecord({SAFETENSORS: Array(np.zeros(8, np.uint8))}),
        ArrayRecord({SAFETENSORS: Array(dtype="uint8", shape=(0,), stype="pickle", data=b"")}),
    ],
)
def test_tensors_in_another_packing_are_refused(record: ArrayRecord) -> None:
    records = _request().to_records()
    records[ARRAYS] = record
    with pytest.raises(ProtocolError):
        RoundRequest.from_records(records)


def test_an_error_reply_may_not_carry_tensors_nor_an_ok_reply_none() -> None:
    tensors = {"w": np.zeros(1, np.float32)}
    for reply in (
        RoundReply(site="a", request="0" * 64, code="data", tensors=tensors),
        RoundReply(site="a", request="0" * 64),
    ):
        with pytest.raises(ProtocolError):
            RoundReply.from_records(reply.to_records())


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_must_be_positive(weight: float) -> None:
    reply = RoundReply(
        site="a", request="0" * 64, weight=weight, tensors={"w": np.zeros(1, np.float32)}
    )
    with pytest.raises(ProtocolError):
        RoundReply.from_records(reply.to_records())


def test_a_ledgers_mark_is_sent_only_where_there_is_one_and_with_a_result() -> None:
    tensors, mark = {"w": np.zeros(1, np.float32)}, f"{'a' * 64}:{'b' * 64}"
    # Byte for byte what earlier releases send and take.
    before = RoundReply(site="a", request="0" * 64, tensors=tensors).to_records()
    assert set(before[CONFIG]) == {"version", "site", "request", "code", "weight"}
    for value in ("41 patients", f"{mark}0", 1, mark.upper()):
        records = RoundReply(site="a", request="0" * 64, tensors=tensors).to_records()
        records[CONFIG]["ledger"] = value
        with pytest.raises(ProtocolError, match="ledger"):
            RoundReply.from_records(records)
    refusal = RoundReply(site="a", request="", code="data", ledger=mark).to_records()
    with pytest.raises(ProtocolError, match="ledger"):
        RoundReply.from_records(refusal)


def test_a_free_text_cannot_be_a_code_or_a_site() -> None:
    records = RoundReply(site="a", request="", code="data").to_records()
    records[CONFIG]["code"] = "patient Doe was not found"
    with pytest.raises(ProtocolError):
        RoundReply.from_records(records)
    records = RoundReply(site="not a name", request="", code="data").to_records()
    with pytest.raises(ProtocolError):
        RoundReply.from_records(records)
