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
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ...common.files import filling
from ...errors import ModelError
from ...model.conditions import spatial_conditions
from ...model.generator import Generator
from ...model.integrity.finite import require_finite_weights
from ...model.storage import load_generator, save_generator
from .regression import answer_both_ways, build_unet

_NETWORK = "network.safetensors"
_FACTS = "translation.json"
_BATCH = 32


@dataclass(frozen=True, eq=False, kw_only=True)
class Translator:
    """A network that answers by regression, and a generator heard as far as it knows more.

    The source is the generator's partial image with all pixels known (a T2I-Adapter condition,
    Mou et al., arXiv 2302.08453), the caption names the target. At the schedule's last timestep
    nothing of the target is seen, so the denoiser's answer is the expected target given the
    source: the mean that many samples would average to. The network answers for the image and its
    mirror image; the mean is moved towards the generator's expectation by the share that was best
    for patients whom neither had seen (stacking: Wolpert, Neural Networks 5, 1992).

    Attributes:
        generator: The generator, its adapter and U-Net trained on pairs.
        network: ``[B, 1, H, W]`` (source) to the same (target).
        target: One of ``pairs.TARGETS``.
        share: The generator's share in [0, 1].
    """

    generator: Generator
    network: nn.Module
    target: str
    share: float = 0.0

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
        estimate = answer_both_ways(self.network, sources)
        if self.share:
            from_generator = expected(self.generator, sources, captions, positions)
            estimate = estimate + self.share * (from_generator - estimate)
        return estimate[:, 0].clamp(-1, 1).numpy()


def expected_latents(
    generator: Generator, sources: Tensor, text: Tensor, positions: Tensor
) -> Tensor:
    """Expected latents ``[B, C, h, w]`` given sources ``[B, 1, H, W]``; keeps gradients."""
    sources, positions = sources.to(generator.device), positions.to(generator.device)
    last = int(generator.scheduler.config.num_train_timesteps) - 1
    alpha_bar = generator.scheduler.alphas_cumprod[last]
    blank = torch.zeros(len(sources), *generator.latent_shape, device=sources.device)
    times = torch.full((len(sources),), last, device=sources.device)
    prediction = generator.denoise(blank, times, text, positions, as_condition(sources))
    if generator.scheduler.config.prediction_type == "v_prediction":
        return -(1 - alpha_bar).sqrt() * prediction
    return -(1 - alpha_bar).sqrt() / alpha_bar.sqrt() * prediction


def as_condition(sources: Tensor) -> Tensor:
    """Sources ``[B, 1, H, W]`` as wholly known partial images ``[B, SPATIAL_CHANNELS, H, W]``."""
    stacks = [
        spatial_conditions(image.shape, partial=image, known_pixels=np.ones(image.shape, np.bool_))
        for image in sources[:, 0].cpu().numpy()
    ]
    return torch.from_numpy(np.stack(stacks)).to(sources.device)


@torch.no_grad()
def expected(
    generator: Generator, sources: Tensor, captions: Sequence[str], positions: Sequence[float]
) -> Tensor:
    """Expected images ``[N, 1, H, W]`` given sources ``[N, 1, H, W]``, both on the CPU."""
    where = torch.tensor(list(positions), dtype=torch.float32)
    images = []
    for first in range(0, len(sources), _BATCH):
        part = slice(first, first + _BATCH)
        text = generator.embed(captions[part])
        images.append(
            generator.decode(expected_latents(generator, sources[part], text, where[part])).cpu()
        )
    return torch.cat(images)


def save_translator(translator: Translator, folder: Path) -> None:
    """Save a translator: a generator's folder with the network beside it."""
    state = translator.network.state_dict()
    require_finite_weights(state, "The translator is not saved: it")
    save_generator(translator.generator, folder, {"name": f"translator to {translator.target}"})
    facts = {"target": translator.target, "share": translator.share}
    with filling(folder, last=_FACTS) as work:
        (work / _NETWORK).write_bytes(save(state))
        (work / _FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")


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
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        target, share = str(facts["target"]), float(facts["share"])
        network = build_unet()
        network.load_state_dict(load_file(folder / _NETWORK))
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The translator in {folder} cannot be opened: {error}",
            hint="Restore the folder from where it was made, or train it again.",
        ) from error
    require_finite_weights(network.state_dict(), f"The translator in {folder}")
    return Translator(
        generator=load_generator(folder),
        network=network.eval().requires_grad_(False),
        target=target,
        share=share,
    )
