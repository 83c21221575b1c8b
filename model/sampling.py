"""Sampling: captions and conditions to images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from diffusers import SchedulerMixin, UniPCMultistepScheduler
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from ..common.progress import Progress, no_progress
from ..errors import ConfigurationError
from .denoising import guided_prediction
from .generator import Generator
from .integrity.finite import require_finite

DEFAULT_STEPS = 12
DEFAULT_GUIDANCE = 2.0
#: Sides are multiples of this, so that they fall on whole cells of every autoencoder.
SIZE_STEP = 8

_NOT_FINITE_HINT = "Use fewer steps or less guidance; else the generator is damaged."


def sample(
    generator: Generator,
    captions: Sequence[str],
    *,
    positions: Sequence[float] | None = None,
    spatial: NDArray[np.float32] | None = None,
    size: int | None = None,
    guidance_scale: float = DEFAULT_GUIDANCE,
    steps: int = DEFAULT_STEPS,
    seed: int = 0,
    noise: Tensor | None = None,
    batch_size: int = 64,
    solver: SchedulerMixin | None = None,
    on_progress: Progress = no_progress,
) -> NDArray[np.float32]:
    """Draw one image per caption with UniPC (Zhao et al., arXiv 2302.04867).

    An image depends on the seed and its index only, not on the batch size.

    Args:
        generator: The generator.
        captions: ``N`` captions.
        positions: ``N`` slice positions in [0, 1]; 0.5 where not given.
        spatial: ``[N, SPATIAL_CHANNELS, H, W]`` from ``spatial_conditions``, or ``None``.
        size: Height and width of the images in pixels; the generator's own by default.
        guidance_scale: Classifier-free guidance (arXiv 2207.12598); 1 means none.
        steps: Solver steps.
        seed: Seed of the initial noise.
        noise: The initial noise itself, ``[N, C, h, w]``, standard normal; the seed is not used
            then.
        batch_size: Images per pass at most; fewer where they are large.
        solver: Another of diffusers' solvers, of the generator's noise schedule.
        on_progress: Told after each batch how many images are done.

    Returns:
        float32 ``[N, H, W]`` in [-1, 1].

    Raises:
        ConfigurationError: If there are more steps than the noise schedule has, or the generator
            does not draw images of this size.
        ModelError: If a value is not finite.
    """
    require_steps(generator, steps)
    where = positions if positions is not None else [0.5] * len(captions)
    shape, side = latent_shape(generator, size), size or generator.image_size
    images = np.empty((len(captions), side, side), np.float32)
    was_training, batch_size = generator.training, min(batch_size, generator.images_at_once)
    generator.eval()
    for start in range(0, len(captions), batch_size):
        stop = min(start + batch_size, len(captions))
        latents = solve(
            generator,
            _without_warning(solver or _solver(generator)),
            _initial_noise(generator, shape, seed, range(start, stop))
            if noise is None
            else noise[start:stop].to(generator.device),
            captions[start:stop],
            torch.tensor(list(where[start:stop]), dtype=torch.float32, device=generator.device),
            None if spatial is None else torch.from_numpy(spatial[start:stop]),
            guidance_scale,
            steps,
        )
        images[start:stop] = generator.decode(latents)[:, 0].cpu().numpy()
        require_finite(images[start:stop], "The images cannot be used", _NOT_FINITE_HINT)
        on_progress("images", stop, len(captions))
    generator.train(was_training)
    return images


def size_limits(generator: Generator) -> tuple[int, int]:
    """Return the smallest and the largest side that a generator draws, in pixels.

    Networks of convolutions and attention take latents of any size, but shapes hold together only
    near the size that was trained: from half of it to twice.
    """
    own = generator.image_size
    return -(-own // 2 // SIZE_STEP) * SIZE_STEP, 2 * own // SIZE_STEP * SIZE_STEP


def latent_shape(generator: Generator, size: int | None) -> tuple[int, int, int]:
    """Return channels, height and width of the latent of an image.

    Args:
        generator: The generator.
        size: Side of the image in pixels; the generator's own if ``None``.

    Raises:
        ConfigurationError: If the generator does not draw images of this size.
    """
    channels, cells, _ = generator.latent_shape
    if size is None or size == generator.image_size:
        return channels, cells, cells
    smallest, largest = size_limits(generator)
    if size % SIZE_STEP or not smallest <= size <= largest:
        raise ConfigurationError(
            f"This generator does not draw images of {size} pixels.",
            hint=f"It draws multiples of {SIZE_STEP} from {smallest} to {largest}.",
        )
    side = size * cells // generator.image_size
    return channels, side, side


def require_steps(generator: Generator, steps: int) -> None:
    """Refuse more steps than a generator's noise schedule has.

    Raises:
        ConfigurationError: If there are too many.
    """
    most = int(generator.scheduler.config.num_train_timesteps)
    if steps > most:
        raise ConfigurationError(
            f"{steps} steps are more than the noise schedule has.",
            hint=f"Ask for {most} at most; 10 to 50 are usual.",
        )


def _solver(generator: Generator) -> UniPCMultistepScheduler:
    return UniPCMultistepScheduler.from_config(
        generator.scheduler.config, timestep_spacing="trailing"
    )


def _without_warning(solver: SchedulerMixin) -> SchedulerMixin:
    """Let diffusers make arrays of what it computes from the noise schedule."""
    solver.alphas_cumprod = solver.alphas_cumprod.as_subclass(_ArrayLike)
    return solver


class _ArrayLike(Tensor):
    """A tensor that knows the keyword by which NumPy 2 asks for an array, and so does not warn."""

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> NDArray[np.generic]:
        return np.array(self.numpy(), dtype=dtype, copy=copy)


def _initial_noise(
    generator: Generator, shape: tuple[int, int, int], seed: int, indices: range
) -> Tensor:
    draws = []
    for index in indices:
        source = torch.Generator().manual_seed((seed * 1_000_003 + index) % 2**63)
        draws.append(torch.randn(shape, generator=source))
    return torch.stack(draws).to(generator.device)


@torch.no_grad()
def solve(
    generator: Generator,
    solver: SchedulerMixin,
    latents: Tensor,
    captions: Sequence[str],
    positions: Tensor,
    spatial: Tensor | None,
    guidance_scale: float,
    steps: int,
) -> Tensor:
    """Take latents from noise to images' latents with any of diffusers' solvers.

    Args:
        generator: The generator.
        solver: A scheduler of the generator's noise schedule.
        latents: Noise, ``[N, C, h, w]``.
        captions: ``N`` captions.
        positions: ``[N]``, slice positions.
        spatial: ``[N, SPATIAL_CHANNELS, H, W]`` or ``None``.
        guidance_scale: Classifier-free guidance; 1 means none.
        steps: Solver steps.

    Returns:
        ``[N, C, h, w]``, to be decoded.
    """
    solver.set_timesteps(steps, device=generator.device)
    # Some solvers work on latents of another scale than the generator does.
    latents = latents * solver.init_noise_sigma
    for timestep in solver.timesteps:
        model_input = solver.scale_model_input(latents, timestep)
        prediction = guided_prediction(
            generator, model_input, int(timestep), captions, positions, spatial, guidance_scale
        )
        latents = solver.step(prediction, timestep, latents).prev_sample
    return latents
