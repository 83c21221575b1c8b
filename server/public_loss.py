"""How well the model in training undoes noise in public images: a loss that costs no privacy.

What a model loses on patients' images is a statistic of the patients, and leaves no site. So this
is measured at the coordinator, on made-up bodies like those that the base was trained on, which
ship with fedscan. It tells whether training goes astray, and how far the model moves from what it
began with; not how well it learns the sites' images.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ..errors import DataError, ModelError
from ..federation.protocol import Tensors
from ..model.conditions import spatial_conditions
from ..model.example import LatentRows
from ..model.generator import Generator
from ..model.objective import diffusion_loss, num_train_timesteps
from ..model.pretraining.examples import ExampleBank
from .events import LossMeasured, Observer

_log = logging.getLogger(__name__)

#: Parts of the noise schedule at which it is measured.
_TIMES = (0.1, 0.3, 0.5, 0.7)
_SEED = 2026


def public_images() -> ExampleBank:
    """Return the images: two each of 12 bodies, drawn for this alone.

    They are those of ``phantoms.parametric.sample_examples`` with the seed 2026, at 64 pixels.

    Raises:
        DataError: If this installation lacks them.
    """
    return ExampleBank.load(Path(str(files("fedscan.assets") / "public_images.npz")))


class PublicLoss:
    """Measures a generator again and again on the same images with the same noise.

    Args:
        generator: The generator in training.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._rows: LatentRows | None = None

    @torch.no_grad()
    def measure(self) -> float:
        """Return the mean denoising loss, as of the objective of training.

        Raises:
            DataError: If this installation lacks the images.
            ModelError: If it is not finite.
        """
        if self._rows is None:
            self._rows = _encoded(self._generator, public_images())
        rows, steps = self._rows, num_train_timesteps(self._generator)
        source, losses = torch.Generator().manual_seed(_SEED), []
        for share in _TIMES:
            noise = torch.randn(rows.latents.shape, generator=source).to(rows.latents.device)
            times = torch.full((len(rows),), int(share * steps), device=rows.latents.device)
            losses.append(float(diffusion_loss(self._generator, rows, times, noise).mean()))
        loss = sum(losses) / len(losses)
        if not math.isfinite(loss):
            raise ModelError("The loss on public images is not finite.")
        return loss

    def measuring(self, load: Callable[[Tensors], None]) -> Callable[[Tensors], float]:
        """Return what measures a model that is given by what trains in it.

        Args:
            load: Puts the tensors into the generator.
        """

        def measure(model: Tensors) -> float:
            load(model)
            return self.measure()

        return measure


def _encoded(generator: Generator, bank: ExampleBank) -> LatentRows:
    """Encode the images in the generator's size; every second one with its segmentation."""
    size = generator.image_size
    images = torch.from_numpy(bank.images.astype(np.float32))[:, None]
    mode = "area" if size < images.shape[-1] else "bilinear"
    images = functional.interpolate(images, (size, size), mode=mode)
    masks = torch.from_numpy(bank.masks)[:, None].float()
    masks = functional.interpolate(masks, (size, size), mode="nearest").byte()[:, 0]
    spatial = [
        spatial_conditions((size, size), mask=mask if number % 2 else None)
        for number, mask in enumerate(masks.numpy())
    ]
    return LatentRows(
        latents=generator.encode(images),
        text=generator.embed([str(caption) for caption in bank.captions]),
        position=torch.from_numpy(bank.positions).to(generator.device),
        spatial=torch.from_numpy(np.stack(spatial)).to(generator.device),
    )


def measuring(loss: PublicLoss, observe: Observer) -> Callable[[int], None]:
    """Return what measures after a round, and tells it.

    Args:
        loss: Measures the generator in training.
        observe: Told the loss.
    """

    def measure(number: int) -> None:
        try:
            observe(LossMeasured(round=number, loss=loss.measure()))
        except (DataError, ModelError) as failure:
            # Nothing that only people look at may end a training that is paid for.
            _log.warning("The loss of round %d is not known: %s", number, failure)

    return measure
