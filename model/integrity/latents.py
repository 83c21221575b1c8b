"""Whether two generators mean the same image by a latent."""

from __future__ import annotations

import torch
from torch import Tensor

from ..generator import Generator


def share_latents(one: Generator, other: Generator) -> bool:
    """Return whether two generators have one autoencoder, in whatever precision it is kept.

    A result of Stable Diffusion is saved in half precision, whatever its base is in, so its
    autoencoder's digest is another than the base's.

    Args:
        one: A generator.
        other: The other one.
    """
    first, second = one.autoencoder.state_dict(), other.autoencoder.state_dict()
    if (first.keys(), one.packing, one.latent_shape) != (
        second.keys(),
        other.packing,
        other.latent_shape,
    ):
        return False
    statistics = zip(one.latent_statistics(), other.latent_statistics(), strict=True)
    pairs = [*statistics, *((value, second[name]) for name, value in first.items())]
    return all(_equal_in_half(*pair) for pair in pairs)


def _equal_in_half(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are equal when they are rounded to half precision."""
    first, second = (value.detach().cpu().half() for value in (one, other))
    return torch.equal(first, second)
