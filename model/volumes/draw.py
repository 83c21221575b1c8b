"""Whole volumes: slices at any spacing that agree with their neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import interp1d

from ...common.progress import Progress, no_progress
from ..denoising import clean_and_noise, guided_prediction, levels
from ..description import Description
from ..generator import Generator
from ..region import extent_mm, pixel_mm
from ..sampling import sample
from .cube import KnownSlices, draw_cube
from .detail import coarse_kept, outline_kept, restore_detail
from .interpolate import interpolate_slices
from .slice_noise import correlated_noise, spread

#: Timesteps, as shares of the schedule, at which cut slices are looked at once more.
_FINISH = (0.67, 0.4, 0.15)
#: The same where slices are given: detail that is made up would be further from the patient.
_FINISH_COMPLETED = (0.06,)
#: Length scale of their noise along the slices: short, for it only brings detail back.
_DETAIL_LENGTH = 0.005
_DETAIL_PER_HALF_WAVE = 0.2
#: Distance in mm from a given slice over which interpolation is believed, not the generator.
_BELIEVED_MM = 15.0


@dataclass(frozen=True, kw_only=True)
class VolumeSettings:
    """How a volume is drawn.

    Attributes:
        correlation: Least length scale of the noise along the slices, as a share of the region.
        guidance_scale: Classifier-free guidance; 1 means none.
        steps: Noise levels of the cube; each is a step in three planes.
        seed: Seed of the noise.
        batch_size: Slices per pass.
    """

    correlation: float = 0.06
    guidance_scale: float = 1.5
    steps: int = 8
    seed: int = 0
    batch_size: int = 64


def sample_volume(
    generator: Generator,
    description: Description,
    positions: Sequence[float],
    settings: VolumeSettings,
    *,
    given_slices: Mapping[float, NDArray[np.float32]] | None = None,
    on_progress: Progress = no_progress,
) -> NDArray[np.float32]:
    """Draw a volume: a cube in three planes together, then the slices asked for, cut out of it.

    Each cut slice is drawn over once more, since the mean of three planes has cost detail. The
    outline and all that is coarse stay the cube's, and what is fine gets the strength that it has
    in slices drawn alone.

    With given slices of one patient the volume is completed: between them the patient is
    interpolated, the more the nearer they are, and the generator knows the rest. They are returned
    unchanged.

    Args:
        generator: The generator.
        description: What the slices show, with their plane.
        positions: ``N`` slice positions in [0, 1], ascending.
        settings: How it is drawn.
        given_slices: Known slices ``[H, W]`` in [-1, 1] by position.
        on_progress: Told after each of the cube's steps.

    Returns:
        float32 ``[N, H, W]`` in [-1, 1].
    """
    known_slices = None
    if given_slices:
        known_slices = KnownSlices(
            plane=description.plane,
            positions=sorted(given_slices),
            images=torch.from_numpy(
                np.stack([given_slices[position] for position in sorted(given_slices)])
            ),
        )
    was_training = generator.training
    generator.eval()
    cube = draw_cube(
        generator,
        description,
        steps=settings.steps,
        guidance_scale=settings.guidance_scale,
        correlation=settings.correlation,
        seed=settings.seed,
        batch_size=settings.batch_size,
        known_slices=known_slices,
        on_progress=on_progress,
    )
    cut = cube.slices(description.plane, positions)
    parts = range(0, len(positions), settings.batch_size)
    noise = correlated_noise(
        positions,
        generator.latent_shape,
        length=_DETAIL_LENGTH,
        seed=settings.seed,
        per_half_wave=_DETAIL_PER_HALF_WAVE,
        packing=generator.packing,
    ).to(generator.device)
    volume = np.concatenate(
        [
            _finished(
                generator,
                description.caption(),
                cut[at : at + settings.batch_size],
                noise[at : at + settings.batch_size],
                positions[at : at + settings.batch_size],
                settings.guidance_scale,
                _FINISH if known_slices is None else _FINISH_COMPLETED,
            )
            for at in parts
        ]
    )
    generator.train(was_training)
    if known_slices is not None:
        volume = _meeting(volume, positions, known_slices, settings.correlation)
        volume = _blend_with_interpolation(volume, positions, known_slices, description.body_part)
    else:
        volume = _whole(generator, description, positions, settings, cut.cpu().numpy(), volume)
    for position, image in (given_slices or {}).items():
        nearest = int(np.argmin(np.abs(np.asarray(positions) - position)))
        if abs(positions[nearest] - position) < 1e-6:
            volume[nearest] = image
    return volume


def _whole(
    generator: Generator,
    description: Description,
    positions: Sequence[float],
    settings: VolumeSettings,
    coarse: NDArray[np.float32],
    fine: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Join what is coarse in the cube's slices with what is fine in the drawn ones.

    Both are ``[N, H, W]``, and the outline is the cube's altogether.
    """
    alone = sample(
        generator,
        [description.caption()] * len(positions),
        positions=positions,
        guidance_scale=settings.guidance_scale,
        steps=settings.steps,
        seed=settings.seed,
        batch_size=settings.batch_size,
    )
    part = description.body_part
    pixel = pixel_mm(part, generator.image_size)
    step = float(np.median(np.diff(positions))) if len(positions) > 1 else 1 / len(coarse[0])
    return outline_kept(
        restore_detail(coarse, alone),
        restore_detail(coarse_kept(coarse, fine, pixel_mm=pixel), alone),
        pixel_mm=pixel,
        slice_mm=step * extent_mm(part, description.plane),
    )


def _meeting(
    volume: NDArray[np.float32],
    positions: Sequence[float],
    known_slices: KnownSlices,
    length: float,
) -> NDArray[np.float32]:
    """Move slices ``[N, H, W]`` towards the known ones near them, which the finish has left."""
    curve = interp1d(
        positions, volume, axis=0, bounds_error=False, fill_value=(volume[0], volume[-1])
    )
    off = known_slices.images - torch.from_numpy(curve(known_slices.positions).astype(np.float32))
    volume_met = volume + spread(off, known_slices.positions, positions, length).numpy()
    return np.asarray(np.clip(volume_met, -1, 1), np.float32)


def _blend_with_interpolation(
    volume: NDArray[np.float32],
    positions: Sequence[float],
    known_slices: KnownSlices,
    body_part: str,
) -> NDArray[np.float32]:
    """Average slices ``[N, H, W]`` between known ones with what interpolation makes of these.

    The nearer a known slice, the more does interpolation know: the share of the generator grows
    with the distance, and is all beyond the first and the last known slice.
    """
    where, known_at = np.asarray(positions), np.asarray(known_slices.positions)
    millimetres = extent_mm(body_part, known_slices.plane)
    distance = np.abs(where[:, None] - known_at).min(1) * millimetres
    trust = np.exp(-np.square(distance / _BELIEVED_MM) / 2)
    trust[(where < known_at[0]) | (where > known_at[-1])] = 0.0
    line = interpolate_slices(known_slices.images.numpy(), known_slices.positions, positions)
    return (volume + trust[:, None, None] * (line - volume)).astype(np.float32)


@torch.no_grad()
def _finished(
    generator: Generator,
    caption: str,
    slices: torch.Tensor,
    noise: torch.Tensor,
    positions: Sequence[float],
    guidance_scale: float,
    shares: Sequence[float],
) -> NDArray[np.float32]:
    """Give slices back the detail that averaging three planes has taken (SDEdit, 2108.01073)."""
    clean = generator.encode(slices[:, None])
    where = torch.tensor(list(positions), dtype=torch.float32, device=generator.device)
    last = int(generator.scheduler.config.num_train_timesteps) - 1
    for share in shares:
        timestep = round(share * last)
        signal, scale = levels(generator, timestep)
        noisy = signal * clean + scale * noise
        prediction = guided_prediction(
            generator, noisy, timestep, [caption] * len(noisy), where, None, guidance_scale
        )
        clean, noise = clean_and_noise(generator, noisy, prediction, timestep)
    return np.asarray(generator.decode(clean)[:, 0].cpu().numpy())
