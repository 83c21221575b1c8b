"""How far a training moved a generator, and whether what was saved is what was trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from ...errors import ModelError
from ..generator import Generator

#: How much a prediction may differ after reloading, as a share of its own size, by what the
#: weights were saved in.
_TOLERANCE = {torch.float32: 1e-3, torch.float16: 5e-2}
_SEED = 2026


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
