"""How tensors travel: nothing is lost that is not stated, and nothing malformed gets in."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from fedscan.errors import ProtocolError
from fedscan.federation.wire import BLOCK, CHANGE, SCALES, decode, encode, outline, pack, unpack
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import save

_NAMES = st.text("abcXYZ019_.-", min_size=1, max_size=12)
_SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=20)
_FINITE = st.floats(-1e3, 1e3, width=32, allow_subnormal=False)


@st.composite
def _trainings(draw: st.DrawFn) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """A model and what training made of it, float32."""
    shapes = draw(st.dictionaries(_NAMES, _SHAPES, min_size=1, max_size=4))
    seed = draw(st.integers(0, 2**32 - 1))
    size = draw(st.sampled_from([0.0, 1e-30, 1e-6, 1e-2, 1.0, 1e6]))
    rng = np.random.default_rng(seed)
    model = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    trained = {
        name: (value + size * rng.standard_cauchy(value.shape)).astype(np.float32)
        for name, value in model.items()
    }
    return model, trained


def _flat(tensors: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([tensors[name].ravel() for name in sorted(tensors)])


def _same(ours: Any, theirs: Any) -> bool:
    return set(ours) == set(theirs) and all(
        ours[name].dtype == theirs[name].dtype
        and ours[name].shape == theirs[name].shape
        and ours[name].tobytes() == theirs[name].tobytes()
        for name in ours
    )


@given(
    st.dictionaries(
        _NAMES,
        arrays.arrays(
            dtype=st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.uint16]),
            shape=_SHAPES,
        ),
        max_size=4,
    )
)
@settings(max_examples=60, deadline=None)
def test_packed_tensors_come_back_bit_for_bit(tensors: dict[str, np.ndarray]) -> None:
    content = pack(tensors)
    assert _same(unpack(content), tensors)
    assert pack(unpack(content)) == content


@given(_trainings())
@settings(max_examples=40, deadline=None)
def test_float32_is_lossless(training: Any) -> None:
    model, trained = training
    sent, lost = encode("float32", model, trained)
    assert lost is None
    assert _same(decode("float32", model, unpack(pack(sent))), trained)


@given(_trainings(), st.sampled_from(["float32", "bfloat16", "int8"]))
@settings(max_examples=60, deadline=None)
def test_what_leaves_has_exactly_the_outline_of_its_form(training: Any, form: Any) -> None:
    model, trained = training
    sent, _ = encode(form, model, trained)
    found = {name: (array.dtype.name, array.shape) for name, array in sent.items()}
    assert found == outline(form, model)
    received = decode(form, model, unpack(pack(sent)))
    assert {n: (a.dtype, a.shape) for n, a in received.items()} == {
        n: (a.dtype, a.shape) for n, a in model.items()
    }


@given(_trainings())
@settings(max_examples=60, deadline=None)
def test_bfloat16_keeps_eight_significant_bits_of_each_change(training: Any) -> None:
    model, trained = training
    received = decode("bfloat16", model, encode("bfloat16", model, trained)[0])
    change = _flat(trained) - _flat(model)
    # Half a unit of the eighth bit, and the last bit of the sum with the model.
    allowed = np.abs(change) * 2.0**-8 + np.spacing(np.abs(_flat(received)))
    assert (np.abs(_flat(received) - _flat(trained)) <= allowed + 1e-37).all()


@given(_trainings())
@settings(max_examples=60, deadline=None)
def test_int8_loses_at_most_half_a_step_of_its_block_and_remembers_it(training: Any) -> None:
    model, trained = training
    sent, lost = encode("int8", model, trained)
    assert lost is not None
    change = _flat(trained) - _flat(model)
    steps = np.repeat(sent[SCALES], BLOCK)[: change.size]
    assert (np.abs(lost) <= steps * 0.5001 + np.spacing(np.abs(change))).all()
    rebuilt = sent[CHANGE].astype(np.float32) * steps
    np.testing.assert_array_equal(rebuilt + lost, np.float32(rebuilt + (change - rebuilt)))


def test_error_feedback_makes_up_for_what_rounding_lost() -> None:
    """A change far below a step of its block arrives in the end; without feedback it never does."""
    model = {"w": np.zeros(BLOCK, np.float32)}
    small = np.full(BLOCK, 1e-3, np.float32)
    small[0] = 1.0
    with_feedback, without, residual = np.zeros(BLOCK), np.zeros(BLOCK), None
    for _ in range(100):
        sent, residual = encode("int8", model, {"w": small}, residual)
        with_feedback += decode("int8", model, sent)["w"]
        without += decode("int8", model, encode("int8", model, {"w": small})[0])["w"]
    assert without[1] == 0
    np.testing.assert_allclose(with_feedback, 100 * small.astype(np.float64), atol=0.005)


def test_the_same_training_encodes_to_the_same_bytes() -> None:
    rng = np.random.default_rng(0)
    model = {"w": rng.normal(size=1000).astype(np.float32)}
    trained = {"w": model["w"] + rng.normal(size=1000).astype(np.float32)}
    residual = rng.normal(size=1000).astype(np.float32)
    once, again = (pack(encode("int8", model, trained, residual)[0]) for _ in range(2))
    assert once == again


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_arrives_as_such_and_is_not_remembered(bad: float) -> None:
    model = {"w": np.zeros(2 * BLOCK, np.float32)}
    trained = {"w": np.ones(2 * BLOCK, np.float32)}
    trained["w"][3] = bad
    sent, lost = encode("int8", model, trained)
    received = decode("int8", model, sent)["w"]
    assert not np.isfinite(received[:BLOCK]).any()
    np.testing.assert_allclose(received[BLOCK:], 1)
    assert lost is not None
    assert np.isfinite(lost).all()


def test_int8_is_a_quarter_of_float32() -> None:
    model = {"w": np.zeros(100_000, np.float32)}
    sizes = {form: len(pack(encode(form, model, model)[0])) for form in ("float32", "int8")}
    assert sizes["int8"] / sizes["float32"] < 0.255


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {CHANGE: np.zeros(6, np.int8)},
        {CHANGE: np.zeros(5, np.int8), SCALES: np.zeros(1, np.float32)},
        {CHANGE: np.zeros(6, np.int8), SCALES: np.zeros(2, np.float32)},
        {CHANGE: np.zeros(6, np.float32), SCALES: np.zeros(1, np.float32)},
        {CHANGE: np.zeros(6, np.int8), SCALES: np.zeros(1, np.float64)},
        {CHANGE: np.zeros((2, 3), np.int8), SCALES: np.zeros(1, np.float32)},
        {"w": np.zeros((2, 3), np.float32)},
    ],
)
def test_an_update_in_another_form_is_refused(sent: dict[str, np.ndarray]) -> None:
    with pytest.raises(ProtocolError):
        decode("int8", {"w": np.zeros((2, 3), np.float32)}, sent)


def _bytes(header: Any, data: bytes = b"\0" * 24) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _entry(**changes: Any) -> dict[str, Any]:
    return {"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]} | changes}


def test_a_header_of_our_own_making_is_read() -> None:
    assert unpack(_bytes(_entry()))["w"].shape == (2, 3)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 3) + b"{}",
        _bytes(b"[" * 100_000),
        _bytes(b"\xff\xfe"),
        _bytes([]),
        _bytes({}),
        _bytes({"w": 1}),
        _bytes(_entry(dtype="I64")),
        _bytes(_entry(dtype=["F32"])),
        _bytes(_entry(dtype="BOOL")),
        _bytes(_entry(shape=[3, 3])),
        _bytes(_entry(shape=[-2, -3])),
        _bytes(_entry(shape=[2.0, 3])),
        _bytes(_entry(shape=[True, 6])),
        _bytes(_entry(shape=[2**40, 2**40, 0])),
        _bytes(_entry(shape="23")),
        _bytes(_entry(data_offsets=[4, 28])),
        _bytes(_entry(data_offsets=[0, 24, 48])),
        _bytes(_entry(data_offsets=[24, 0])),
        _bytes(_entry(more=1)),
        _bytes(_entry(), b"\0" * 23),
        _bytes(_entry(), b"\0" * 25),
        _bytes(_entry() | {"v": _entry()["w"]}),  # two tensors in one place
        _bytes({"a name": _entry()["w"]}),
        _bytes({"n" * 300: _entry()["w"]}),
        _bytes(_entry() | {"__metadata__": {"note": "patient Doe"}}),
        save({"w": np.zeros(6, np.float32)}, metadata={"note": "patient Doe"}),
        save({"w": np.zeros(6, np.int64)}),
    ],
)
def test_malformed_bytes_are_refused_before_they_are_decoded(content: bytes) -> None:
    with pytest.raises(ProtocolError) as failure:
        unpack(content)
    assert "Doe" not in str(failure.value)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ProtocolError):
        unpack(content)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_are_refused_or_are_tensors(data: st.DataObject) -> None:
    content = bytearray(pack({"a": np.ones((2, 3), np.float32), "b": np.ones(5, np.int8)}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        tensors = unpack(bytes(content))
    except ProtocolError:
        return
    assert sum(array.nbytes for array in tensors.values()) <= len(content)
