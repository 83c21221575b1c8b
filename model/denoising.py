"""One look of the denoiser: guided, and told apart into what is clean and what is noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .generator import Generator


@torch.no_grad()
def guided_prediction(
    generator: Generator,
    noisy: Tensor,
    timestep: int,
    captions: Sequence[str],
    positions: Tensor,
    spatial: Tensor | None,
    guidance_scale: float,
) -> Tensor:
    """Predict with classifier-free guidance (Ho & Salimans, arXiv 2207.12598).

    Args:
        generator: The generator.
        noisy: Noisy latents ``[N, C, h, w]``.
        timestep: That of all of them.
        captions: ``N`` captions.
        positions: ``[N]``, slice positions.
        spatial: ``[N, SPATIAL_CHANNELS, H, W]`` or ``None``.
        guidance_scale: 1 means none.

    Returns:
        ``[N, C, h, w]``, noise or velocity as the generator predicts.
    """
    text = generator.embed(captions)
    if spatial is not None:
        spatial = spatial.to(generator.device)
    if guidance_scale == 1.0:
        times = torch.full((len(noisy),), timestep, device=generator.device)
        return generator.denoise(noisy, times, text, positions, spatial)
    times = torch.full((2 * len(noisy),), timestep, device=generator.device)
    without, with_text = generator.denoise(
        torch.cat([noisy, noisy]),
        times,
        torch.cat([generator.embed([""] * len(captions)), text]),
        positions.repeat(2),
        None if spatial is None else torch.cat([spatial, spatial]),
    ).chunk(2)
    return without + guidance_scale * (with_text - without)


def clean_and_noise(
    generator: Generator, noisy: Tensor, prediction: Tensor, timestep: int
) -> tuple[Tensor, Tensor]:
    """Return the expected clean latents and the expected standard noise in noisy ones."""
    signal, spread = levels(generator, timestep)
    if generator.scheduler.config.prediction_type == "v_prediction":
        return signal * noisy - spread * prediction, spread * noisy + signal * prediction
    return (noisy - spread * prediction) / signal, prediction


def levels(generator: Generator, timestep: int) -> tuple[Tensor, Tensor]:
    """Return what latents and noise are multiplied by at a timestep."""
    alpha_bar = generator.scheduler.alphas_cumprod[timestep]
    return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
