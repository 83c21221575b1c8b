"""Replacing some tensors of a base before it is fine-tuned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from ..errors import ModelError
from .generator import Generator


def replace_tensors(generator: Generator, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Put other values into a generator, in place.

    Args:
        generator: A base, before low-rank layers are added to it.
        tensors: New values by parameter name.

    Raises:
        ModelError: If a name or a shape is not the generator's.
    """
    parameters = dict(generator.named_parameters())
    with torch.no_grad():
        for name, array in tensors.items():
            if name not in parameters or tuple(parameters[name].shape) != array.shape:
                raise ModelError(
                    f"The base has no tensor {name} of shape {array.shape}.",
                    hint="The tensors were made for another base.",
                )
            parameters[name].copy_(torch.from_numpy(array.copy()))
