"""A generator that was taught to see one contrast and to answer in another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import ModelError
from ..model.conditions import spatial_conditions
from ..model.generator import Generator
from ..model.storage import load_generator, save_generator
from .regression import answer, build_unet

#: Named otherwise than in versions whose refiner answered with a difference.
_REFINER = "answers.safetensors"
_FACTS = "translation.json"
_BATCH = 32


@dataclass(frozen=True, eq=False, kw_only=True)
class Translator:
    """Two steps: the generator's expectation, and a network that sees it beside the source.

    The source is the generator's partial image with all pixels known (a T2I-Adapter condition,
    Mou et al., arXiv 2302.08453), the caption names the target. At the schedule's last timestep
    nothing of the target is seen, so the denoiser's answer is the expected target given the
    source: the mean that many samples would average to. A small network sees both and answers. It
    begins as a regression from the source, so that it takes of the expectation what helps; asked
    for the difference to it, it would have to undo the expectation's errors first.

    Attributes:
        generator: The generator, its adapter and U-Net trained on pairs.
        refiner: ``[B, 2, H, W]`` (source, expectation) to ``[B, 1, H, W]``, the target.
        target: One of ``pairs.TARGETS``.
    """

    generator: Generator
    refiner: nn.Module
    target: str

    def translate(
        self, images: NDArray[np.float32], captions: Sequence[str], positions: Sequence[float]
    ) -> NDArray[np.float32]:
        """Translate images of the generator's size.

        Args:
            images: ``[N, H, W]`` in [-1, 1].
            captions: Captions of the targets.
            positions: Slice positions in [0, 1].

        Returns:
            ``[N, H, W]`` in [-1, 1].
        """
        sources = torch.from_numpy(np.asarray(images, np.float32))[:, None]
        seen = torch.cat([sources, expected(self.generator, sources, captions, positions)], dim=1)
        return answer(self.refiner, seen)[:, 0].clamp(-1, 1).numpy()


def expected_latents(
    generator: Generator, sources: Tensor, text: Tensor, positions: Tensor
) -> Tensor:
    """Expected latents ``[B, C, h, w]`` given sources ``[B, 1, H, W]``; keeps gradients."""
    last = int(generator.scheduler.config.num_train_timesteps) - 1
    kept = generator.scheduler.alphas_cumprod[last]
    blank = torch.zeros(len(sources), *generator.latent_shape, device=sources.device)
    times = torch.full((len(sources),), last, device=sources.device)
    predicted = generator.denoise(blank, times, text, positions, as_condition(sources))
    if generator.scheduler.config.prediction_type == "v_prediction":
        return -(1 - kept).sqrt() * predicted
    return -(1 - kept).sqrt() / kept.sqrt() * predicted


def as_condition(sources: Tensor) -> Tensor:
    """Sources ``[B, 1, H, W]`` as wholly known partial images ``[B, SPATIAL_CHANNELS, H, W]``."""
    stacks = [
        spatial_conditions(image.shape, partial=image, known=np.ones(image.shape, np.bool_))
        for image in sources[:, 0].cpu().numpy()
    ]
    return torch.from_numpy(np.stack(stacks)).to(sources.device)


@torch.no_grad()
def expected(
    generator: Generator, sources: Tensor, captions: Sequence[str], positions: Sequence[float]
) -> Tensor:
    """Expected images ``[N, 1, H, W]`` given sources ``[N, 1, H, W]``."""
    where = torch.tensor(list(positions), dtype=torch.float32)
    made = []
    for first in range(0, len(sources), _BATCH):
        part = slice(first, first + _BATCH)
        text = generator.embed(captions[part])
        made.append(generator.decode(expected_latents(generator, sources[part], text, where[part])))
    return torch.cat(made)


def save_translator(translator: Translator, folder: Path) -> None:
    """Save a translator: a generator's folder with the refiner beside it."""
    save_generator(translator.generator, folder, {"name": f"translator to {translator.target}"})
    save_file(translator.refiner.state_dict(), folder / _REFINER)
    (folder / _FACTS).write_text(json.dumps({"target": translator.target}) + "\n")


def load_translator(folder: Path) -> Translator:
    """Open what :func:`save_translator` wrote.

    Raises:
        ModelError: If it is missing or damaged.
    """
    if not (folder / _FACTS).is_file():
        raise ModelError(
            f"There is no translator in {folder}.",
            hint="Train one with `fedscan train-translator`.",
        )
    refiner = build_unet(2)
    try:
        target = str(json.loads((folder / _FACTS).read_text())["target"])
        refiner.load_state_dict(load_file(folder / _REFINER))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The translator in {folder} cannot be opened: {error}",
            hint="Restore the folder from where it was made.",
        ) from error
    return Translator(generator=load_generator(folder), refiner=refiner.eval(), target=target)
