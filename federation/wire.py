"""The compact form in which tensors travel: safetensors bytes, and three forms of an update.

Packing is safetensors (https://github.com/huggingface/safetensors): a JSON header and raw
little-endian values, no code. What arrives is measured before it is decoded: the size of header
and values, each name, type and shape, and that nothing else is in it.

A site's update has one of three forms, which the study chooses (``federation.wire``):

- ``float32``: the new tensors themselves, lossless.
- ``bfloat16``: the change, each number rounded to 8 significant bits.
- ``int8``: the change in 8 bits, linear in blocks of :data:`BLOCK` numbers with one scale each
  (block-wise quantisation, Dettmers et al., arXiv 2110.02861), with error feedback: what
  rounding took away is added to the next round's change (Seide et al., Interspeech 2014;
  EF-SGD, Karimireddy et al., arXiv 1901.09847).

All three see only the result of private training, which has its noise already: they are
post-processing and cost no privacy.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..errors import ProtocolError

Tensors = Mapping[str, NDArray[Any]]
Form = Literal["float32", "bfloat16", "int8"]

#: Form of a joint study's sums, which is no choice: masked numbers modulo 2**32.
SUM32: Final = "sum32"

#: Numbers of an 8-bit change that share one scale.
BLOCK: Final = 256

#: Names of what an encoded change consists of.
CHANGE: Final = "change"
SCALES: Final = "scales"

#: What safetensors calls the element types that may travel, by their names in NumPy. A change
#: in bfloat16 travels as its bits, in uint16: NumPy has no such type.
DTYPES: Final = MappingProxyType(
    {
        "F16": "float16",
        "F32": "float32",
        "F64": "float64",
        "U8": "uint8",
        "U16": "uint16",
        "U32": "uint32",
        "I8": "int8",
    }
)

_MAX_BYTES = 4 * 2**30
_MAX_HEADER = 16 * 2**20
_MAX_TENSORS = 100_000
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")


def pack(tensors: Tensors) -> bytes:
    """Return tensors as safetensors bytes; nothing but names, types, shapes and values."""
    return save({name: np.asarray(tensors[name], order="C") for name in sorted(tensors)})


def unpack(content: bytes) -> Tensors:
    """Read what :func:`pack` made, from somebody who is not trusted.

    Raises:
        ProtocolError: If it is malformed, too large or holds anything but tensors of
            :data:`DTYPES`; names the tensor, never its content.
    """
    _check_header(content)
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise ProtocolError("In the message, the tensors do not fit their header.") from None
    return MappingProxyType({name: tensors[name] for name in sorted(tensors)})


def size_of(tensors: Tensors) -> int:
    """Return the bytes of tensors' values, without names and headers."""
    return sum(array.nbytes for array in tensors.values())


def outline(form: Form, model: Tensors) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return what an update of a model holds in a form: NumPy type and shape by name."""
    if form == "float32":
        return {name: (array.dtype.name, array.shape) for name, array in model.items()}
    size = sum(array.size for array in model.values())
    if form == "bfloat16":
        return {CHANGE: ("uint16", (size,))}
    return {CHANGE: ("int8", (size,)), SCALES: ("float32", (math.ceil(size / BLOCK),))}


def encode(
    form: Form, model: Tensors, weights: Tensors, residual: NDArray[np.float32] | None = None
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float32] | None]:
    """Put a site's result into the form in which it leaves.

    Args:
        form: The study's form.
        model: The tensors that were sent to the site.
        weights: The same, trained.
        residual: What earlier rounds lost to rounding, float32 ``[N]`` over all tensors in the
            order of their names; ``None`` before the first.

    Returns:
        What leaves, and what this round lost; ``None`` for a form without error feedback.
    """
    if form == "float32":
        return dict(weights), None
    change = np.concatenate(
        [(weights[name] - model[name]).astype(np.float32).ravel() for name in sorted(model)]
    )
    if form == "bfloat16":
        import torch  # takes seconds, and every process of a federation imports this module

        low_bits = torch.from_numpy(change).to(torch.bfloat16)
        return {CHANGE: low_bits.view(torch.uint16).numpy()}, None
    if residual is not None:
        change = change + residual
    values, scales = _quantise(change)
    remainder = change - _dequantise(values, scales)
    # A change that is not finite is refused by the coordinator. It must not live on in here.
    return {CHANGE: values, SCALES: scales}, np.where(
        np.isfinite(remainder), remainder, np.float32(0)
    )


def decode(form: Form, model: Tensors, update: Tensors) -> Tensors:
    """Return the tensors that a site's result stands for.

    Args:
        form: The study's form.
        model: The tensors that were sent to the site.
        update: What came back.

    Returns:
        Trained tensors. For ``float32`` they are as they came, and still to be checked against
        the model; otherwise they have its names, shapes and types.

    Raises:
        ProtocolError: If the result is not in the form.
    """
    if form == "float32":
        return update
    layout = outline(form, model)
    if {name: (array.dtype.name, array.shape) for name, array in update.items()} != layout:
        raise ProtocolError(f"The update is not in the form {form} of the study.")
    if form == "bfloat16":
        import torch  # as above

        bits = torch.from_numpy(np.array(update[CHANGE])).view(torch.bfloat16)
        change = bits.to(torch.float32).numpy()
    else:
        change = _dequantise(update[CHANGE], update[SCALES])
    result, start = {}, 0
    for name in sorted(model):
        array = model[name]
        part = change[start : start + array.size].reshape(array.shape)
        result[name] = (array + part).astype(array.dtype)
        start += array.size
    return result


def _quantise(change: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return 8-bit values ``[N]`` and scales ``[ceil(N / BLOCK)]``."""
    blocks = math.ceil(change.size / BLOCK)
    block_values = np.zeros((blocks, BLOCK), np.float32)
    block_values.ravel()[: change.size] = change
    scales = np.abs(block_values).max(1, initial=0) / np.float32(127)
    usable = np.isfinite(scales) & (scales > 0)
    divisor = np.where(usable, scales, np.float32(1))[:, None]
    # A scale near the smallest numbers is itself rounded, so a quotient can pass 127.
    values = np.clip(np.rint(np.where(usable[:, None], block_values, 0) / divisor), -127, 127)
    return values.astype(np.int8).ravel()[: change.size], scales


def _dequantise(values: NDArray[np.int8], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    # Zero times an infinite scale is not a number, which is what such a block should become.
    with np.errstate(invalid="ignore", over="ignore"):
        return values.astype(np.float32) * np.repeat(scales, BLOCK)[: values.size]


def _check_header(content: bytes) -> None:
    """Check everything that can be known before a value is touched."""
    if not 8 <= len(content) <= _MAX_BYTES:
        raise ProtocolError(f"In the message, tensors must take 8 to {_MAX_BYTES} bytes.")
    length = int.from_bytes(content[:8], "little")
    if length > min(_MAX_HEADER, len(content) - 8):
        raise ProtocolError("In the message, the tensors' header is too long.")
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError):
        raise ProtocolError("In the message, the tensors have an unreadable header.") from None
    if not isinstance(header, dict) or len(header) > _MAX_TENSORS:
        raise ProtocolError(f"In the message, there must be at most {_MAX_TENSORS} tensors.")
    end = 0
    for name, entry in header.items():
        # Errors repeat a name, so a name must not be able to carry anything else; and free text
        # beside the tensors ("__metadata__") is nothing that anybody has to say.
        if not _NAME.fullmatch(name) or name == "__metadata__":
            raise ProtocolError(
                "In the message, tensor names must be 1 to 256 letters, digits, '_', '-' or '.'."
            )
        end = max(end, _end_of(name, entry))
    if end != len(content) - 8 - length:
        raise ProtocolError("In the message, the tensors have another size than declared.")


def _end_of(name: str, entry: Any) -> int:
    """Return where a tensor's bytes end, as a header's checked entry says."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ProtocolError(f"In the message, {name} has a malformed header.")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in DTYPES:
        raise ProtocolError(f"In the message, {name} must be {', '.join(DTYPES.values())}.")
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(
            type(number) is int and 0 <= number <= _MAX_BYTES for number in numbers
        ):
            raise ProtocolError(f"In the message, {name} has an impossible shape or place.")
    if len(shape) > 16 or len(offsets) != 2:
        raise ProtocolError(f"In the message, {name} has an impossible shape or place.")
    if offsets[1] - offsets[0] != math.prod(shape) * np.dtype(DTYPES[kind]).itemsize:
        raise ProtocolError(f"In the message, {name} has another size than its shape says.")
    return int(offsets[1])
