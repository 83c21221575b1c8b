"""The training objective: how well the U-Net undoes a given noise at a given timestep."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from .example import LatentRows
from .generator import Generator


def diffusion_loss(
    generator: Generator,
    rows: LatentRows,
    timesteps: Tensor,
    noise: Tensor,
    weight: Tensor | None = None,
) -> Tensor:
    """Denoising loss per row (Ho et al., arXiv 2006.11239; v: Salimans & Ho, arXiv 2202.00512).

    Nothing in here is random, so the caller decides where timesteps and noise come from.

    Args:
        generator: The generator; gradients reach whatever in it requires them.
        rows: ``B`` latents with their conditions.
        timesteps: ``[B]``, long, in [0, number of training timesteps).
        noise: ``[B, C, h, w]``, standard normal.
        weight: ``[B, 1, h, w]``, how much each cell counts; all the same without it.

    Returns:
        ``[B]``: mean squared error of the prediction, one value per row; channels count by
        ``generator.channel_weights``.
    """
    scheduler = generator.scheduler
    noisy = scheduler.add_noise(rows.latents, noise, timesteps)
    if scheduler.config.prediction_type == "v_prediction":
        target = scheduler.get_velocity(rows.latents, noise, timesteps)
    else:
        target = noise
    prediction = generator.denoise(noisy, timesteps, rows.text, rows.position, rows.spatial)
    error = functional.mse_loss(prediction.float(), target, reduction="none")
    if (per_channel := generator.channel_weights) is not None:
        error = error * per_channel
    if weight is not None:
        error = error * weight
    return error.flatten(1).mean(1)


def num_train_timesteps(generator: Generator) -> int:
    """Number of timesteps of the generator's noise schedule."""
    return int(generator.scheduler.config.num_train_timesteps)
