"""Making a denoiser: images are drawn once and kept, and a network is trained on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...common.progress import Progress, no_progress
from ...errors import ConfigurationError
from ...model.example import Example
from ...model.pretraining.examples import ExampleBank, fill_bank
from .denoiser import save_denoiser
from .training import train_network

_SMALLEST = 32


@dataclass(frozen=True, kw_only=True)
class DenoiserPlan:
    """What a denoiser is trained on, and for how long.

    Attributes:
        images: Images to draw.
        image_size: Pixels along a side: at least 32, a multiple of 8.
        minutes: Time to train for.
        seed: Seed of images, weights and training.

    Raises:
        ConfigurationError: If the network cannot take images of this size.
    """

    images: int = 12_000
    image_size: int = 64
    minutes: float = 55.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.image_size < _SMALLEST:
            raise ConfigurationError(f"{self.image_size} pixels are too few: {_SMALLEST} or more.")
        if self.image_size % 8:
            raise ConfigurationError(
                f"{self.image_size} pixels are not a multiple of 8.",
                hint=f"Next to it is {self.image_size // 8 * 8}.",
            )


def make_denoiser(
    plan: DenoiserPlan,
    out: Path,
    draw: Callable[[np.random.Generator], list[Example]],
    *,
    on_progress: Progress = no_progress,
    on_step: Callable[[int, float], None] | None = None,
) -> None:
    """Train the network that restoration begins with, on images of made-up bodies.

    The images are kept in ``out``: the same plan again trains anew on them. The denoiser is
    written every few hundred steps, so a training that is stopped leaves one.

    Args:
        plan: What to train on, and for how long.
        out: Folder for the denoiser and the images.
        draw: Draws images of one made-up body, of the plan's size.
        on_progress: Told how many images are drawn.
        on_step: Called with (step, mean PSNR of the batch in dB).
    """
    out.mkdir(parents=True, exist_ok=True)
    bank = out / f"examples-{plan.image_size}-{plan.images}-{plan.seed}.npz"
    if not bank.exists():
        fill_bank(draw, plan.images, seed=plan.seed, on_progress=on_progress).save(bank)
    facts = {
        "data": "Parametric phantoms only: made-up bodies from random solids and textures. "
        "No scan of any person was used, and no privacy was spent.",
        "command": f"fedscan train-denoiser OUT --examples {plan.images} "
        f"--size {plan.image_size} --minutes {plan.minutes:g} --seed {plan.seed}",
    }
    train_network(
        ExampleBank.load(bank).images,
        seconds=60 * plan.minutes,
        seed=plan.seed,
        on_step=on_step,
        on_pause=lambda network: save_denoiser(network, out, facts),
    )
