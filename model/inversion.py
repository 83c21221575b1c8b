"""From an image back to the noise that the sampler would make it from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import DDIMInverseScheduler
from torch import Tensor

from .generator import Generator

#: Steps of the inversion: the flow is followed backwards without a predictor-corrector.
_STEPS = 50


@torch.no_grad()
def invert(
    generator: Generator, images: Tensor, captions: Sequence[str], positions: Sequence[float]
) -> Tensor:
    """Follow the flow from images to noise (DDIM inversion: Song et al., arXiv 2010.02502).

    Without guidance: with it, forward and backward flow would not be each other's inverse.

    Args:
        generator: The generator.
        images: ``[N, 1, H, W]`` in [-1, 1].
        captions: ``N`` captions.
        positions: ``N`` slice positions in [0, 1].

    Returns:
        ``[N, C, h, w]``, near to standard normal for images that the generator could have made.
    """
    solver = DDIMInverseScheduler.from_config(
        generator.scheduler.config, clip_sample=False, timestep_spacing="leading"
    )
    solver.set_timesteps(_STEPS, device=generator.device)
    latents = generator.encode(images)
    text = generator.embed(captions)
    where = torch.tensor(list(positions), dtype=torch.float32, device=generator.device)
    for timestep in solver.timesteps:
        times = timestep.expand(len(latents)).to(torch.long)
        predicted = generator.denoise(latents, times, text, where)
        latents = solver.step(predicted, timestep, latents).prev_sample
    return latents
