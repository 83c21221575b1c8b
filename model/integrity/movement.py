"""How far a training moved a generator, and whether what was saved is what was trained."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from ...errors import ModelError
from ..generator import Generator
from ..sampling import sample

#: How much a prediction may differ after reloading, as a share of its own size, by what the
#: weights were saved in.
_TOLERANCE = {torch.float32: 1e-3, torch.float16: 5e-2}
_SEED = 2026
#: Steps of the small generation.
_STEPS = 2
#: Levels of grey of 255 that a pixel may be off by: GPUs may add up in another order each time, and
#: Stable Diffusion's text encoder is rounded to half precision in its folder only.
_LEVELS = {torch.float32: 2, torch.float16: 13}


def share_moved(before: Path, after: Path) -> float:
    """Return how far a training moved the weights of the U-Net, as a share of their length.

    Only tensors that moved count. Rounding to half precision is no movement.

    Args:
        before: Folder of the generator that it started from.
        after: Folder of what it made of it.
    """
    moved_square = length_square = 0.0
    old, new = dict(_tensors(before / "unet")), dict(_tensors(after / "unet"))
    for name in old.keys() & new.keys():
        one, other = old[name].float(), new[name].float()
        if torch.equal(one.half(), other.half()):
            continue
        moved_square += float((other - one).square().sum(dtype=torch.float64))
        length_square += float(one.square().sum(dtype=torch.float64))
    return float(np.sqrt(moved_square / length_square)) if length_square else 0.0


def share_between(
    generator: Generator, before: Mapping[str, NDArray[Any]], after: Mapping[str, NDArray[Any]]
) -> float:
    """Return how far weights moved between two states of what trains, as a share of their length.

    A low-rank update counts with the layer that it updates.

    Args:
        generator: The generator in training, whose frozen weights count.
        before: What trains, by name, before.
        after: The same after.
    """
    moved_square = length_square = 0.0
    for name, value in before.items():
        if ".lora_B." in name:
            continue
        if ".lora_A." in name:
            layer: Any = generator.get_submodule(name.partition(".lora_A.")[0])
            old, new = (_low_rank(layer, name, state) for state in (before, after))
            weight = layer.base_layer.weight.detach().cpu().float()
            change, length = new - old, weight + old
        else:
            old, new = torch.from_numpy(value), torch.from_numpy(after[name])
            change, length = new - old, old
        moved_square += float(change.square().sum(dtype=torch.float64))
        length_square += float(length.square().sum(dtype=torch.float64))
    return math.sqrt(moved_square / length_square) if length_square else 0.0


def _low_rank(layer: Any, name: str, state: Mapping[str, NDArray[Any]]) -> Tensor:
    """Return what a low-rank update adds to its layer's weight."""
    first = torch.from_numpy(state[name])
    second = torch.from_numpy(state[name.replace(".lora_A.", ".lora_B.")])
    (scaling,) = layer.scaling.values()
    return second @ first * float(scaling)


def small_generation(generator: Generator) -> NDArray[np.uint8]:
    """Draw one small image of fixed noise as a file would show it, ``[H, W]`` of 256 levels.

    Args:
        generator: The generator, as it will be used.
    """
    (image,) = sample(generator, [""], steps=_STEPS, seed=_SEED)
    return np.asarray(np.rint((image + 1) * 127.5).clip(0, 255), np.uint8)


def image_digest(image: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of an image's pixels."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def require_same_image(
    before: NDArray[np.uint8], again: Generator, kind: torch.dtype = torch.float32
) -> str:
    """Refuse a generator that draws another image after reloading than it did before.

    Args:
        before: Of :func:`small_generation`, with the weights as they were saved.
        again: The generator as it was opened again.
        kind: Precision that its weights were saved in.

    Returns:
        Digest of the image.

    Raises:
        ModelError: If it draws another one.
    """
    after = small_generation(again)
    if image_digest(after) != image_digest(before):
        off = np.abs(after.astype(int) - before.astype(int)).max()
        if off > _LEVELS[kind]:
            raise ModelError(
                f"The saved generator draws another image than before it was saved: a pixel is "
                f"off by {off} of 255.",
                hint="Resume the study: it is saved again from its last checkpoint.",
            )
    return image_digest(after)


def probe(generator: Generator) -> Tensor:
    """Return what a generator predicts of one fixed noise: what tells it from any other.

    Args:
        generator: The generator.
    """
    source = torch.Generator().manual_seed(_SEED)
    noise = torch.randn(1, *generator.latent_shape, generator=source).to(generator.device)
    middle = int(generator.scheduler.config.num_train_timesteps) // 2
    times = torch.full((1,), middle, device=generator.device)
    with torch.no_grad():
        text, where = generator.embed([""]), torch.full((1,), 0.5, device=generator.device)
        return generator.denoise(noise, times, text, where).float().cpu()


def require_same(before: Tensor, again: Generator, kind: torch.dtype) -> None:
    """Refuse a generator that does not predict after reloading what it did before.

    Args:
        before: Of :func:`probe`, before it was saved.
        again: The generator as it was opened again.
        kind: Precision that its weights were saved in.

    Raises:
        ModelError: If it predicts something else.
    """
    after = probe(again)
    share = float((after - before).norm() / before.norm().clamp(min=1e-12))
    if not share <= _TOLERANCE[kind]:
        raise ModelError(
            f"The saved generator draws other images than the trained one: they differ by "
            f"{share:.1%}.",
            hint="Resume the study: it is saved again from its last checkpoint.",
        )


def precision_of(generator: Generator) -> torch.dtype:
    """Return what a result is saved in: of Stable Diffusion, as its users expect it."""
    return torch.float32 if generator.stable_diffusion is None else torch.float16


def _tensors(part: Path) -> Iterator[tuple[str, Tensor]]:
    for file in sorted(part.glob("*.safetensors")):
        with safe_open(file, framework="pt") as content:
            for name in content.keys():  # noqa: SIM118 - it is no mapping
                yield name, content.get_tensor(name)
