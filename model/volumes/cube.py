"""One cube that is judged in all three planes while it is drawn.

Slices that are drawn beside each other, even from correlated noise, make rough cuts: nothing
tells the sampler how a cut across them looks. The generator knows axial, coronal and sagittal
slices, so each noise level is a step in every plane, and the three expectations of the clean cube
are averaged (after Lee et al., ICCV 2023, arXiv 2303.08440, who take turns between two planes of
diffusion in pixels). Each plane keeps its own noise, so alone it would be DDIM (Song et al., arXiv
2010.02502).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...common.progress import Progress, no_progress
from ..conditions import spatial_conditions
from ..denoising import clean_and_noise, guided_prediction, levels
from ..description import PLANES, Description
from ..generator import Generator
from ..region import extent_mm, pixel_mm
from .slice_noise import correlated_noise, spread

#: Noise level, as a timestep's share of the schedule, of a cube's last step.
_LAST = 0.06
#: Weight of a plane where its slices lie beyond the body: there the others know better.
_OUTSIDE = 1e-3
_EDGE = 0.03


@dataclass(frozen=True, eq=False, kw_only=True)
class KnownSlices:
    """Slices of one patient in one plane.

    Attributes:
        plane: ``axial``, ``coronal`` or ``sagittal``.
        positions: ``M`` positions in [0, 1].
        images: ``[M, H, W]`` in [-1, 1].
    """

    plane: str
    positions: Sequence[float]
    images: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Cube:
    """A volume of cubic voxels around a body region's middle.

    Attributes:
        values: ``[S, S, S]`` in [-1, 1]: to the head, to the back, to the left.
        body_part: One of ``description.BODY_PARTS``.
    """

    values: Tensor
    body_part: str

    def slices(self, plane: str, positions: Sequence[float]) -> Tensor:
        """Cut ``N`` slices ``[N, S, S]`` of a plane at positions in [0, 1], interpolated."""
        stack = to_plane(self.values, plane)
        index = cube_index(len(stack), plane, self.body_part, positions)
        low = index.floor().clamp(0, len(stack) - 2).long()
        share = (index - low).clamp(0, 1)[:, None, None].to(stack)
        return torch.lerp(stack[low], stack[low + 1], share)


def cube_index(size: int, plane: str, body_part: str, positions: Sequence[float]) -> Tensor:
    """Turn positions in [0, 1] into indices of a cube's slices, ``[N]``, with fractions."""
    voxels = extent_mm(body_part, plane) / pixel_mm(body_part, size)
    where = torch.tensor(list(positions), dtype=torch.float32)
    return (size - 1) / 2 + (where - 0.5) * voxels


def to_plane(cube: Tensor, plane: str) -> Tensor:
    """Turn a cube into a plane's slices as they are read, in the order of their positions."""
    if plane == "axial":
        return cube
    if plane == "coronal":
        return cube.flip(0, 1).transpose(0, 1)
    return cube.flip(0).permute(2, 0, 1)


def from_plane(slices: Tensor, plane: str) -> Tensor:
    """Undo :func:`to_plane`."""
    if plane == "axial":
        return slices
    if plane == "coronal":
        return slices.transpose(0, 1).flip(0, 1)
    return slices.permute(1, 2, 0).flip(0)


def draw_cube(
    generator: Generator,
    description: Description,
    *,
    steps: int,
    guidance_scale: float,
    correlation: float,
    seed: int,
    batch_size: int,
    known_slices: KnownSlices | None = None,
    on_progress: Progress = no_progress,
) -> Cube:
    """Draw a cube of as many voxels along each side as the generator's images have pixels.

    Known slices are the partial image of every plane that cuts them (a condition that the
    generator learnt), and after each step the cube is moved to agree with them, nearby slices too.

    Args:
        generator: The generator.
        description: What the volume shows; its plane does not matter.
        steps: Noise levels; each is a step in three planes.
        guidance_scale: Classifier-free guidance; 1 means none.
        correlation: Least length scale of the noise along the slices, as share of the region.
        seed: Seed of the noise.
        batch_size: Slices per pass.
        known_slices: Slices of the patient that are given.
        on_progress: Told after each step.
    """
    size, part = generator.image_size, description.body_part
    volumes = None if known_slices is None else _placed(known_slices, size, part, generator.device)
    views = [
        _View(
            generator,
            replace(description, plane=plane),
            guidance_scale=guidance_scale,
            noise=correlated_noise(
                _positions(size, plane, part).tolist(),
                generator.latent_shape,
                length=correlation,
                seed=seed * len(PLANES) + number,
                packing=generator.packing,
            ),
            spatial=None if volumes is None else _conditions(*volumes, plane),
            batch_size=batch_size,
        )
        for number, plane in enumerate(PLANES)
    ]
    weights = torch.stack([view.weights() for view in views])
    weights /= weights.sum(0)
    last = int(generator.scheduler.config.num_train_timesteps) - 1
    cube: Tensor | None = None
    for number, timestep in enumerate(np.linspace(last, _LAST * last, steps).round()):
        results = torch.stack([view.step(cube, int(timestep)) for view in views])
        cube = (weights * results).sum(0)
        if known_slices is not None:
            cube = from_plane(
                agreeing(to_plane(cube, known_slices.plane), known_slices, part, correlation),
                known_slices.plane,
            )
        on_progress("steps", number + 1, steps)
    assert cube is not None  # steps is at least 1
    return Cube(values=cube, body_part=part)


def agreeing(slices: Tensor, known_slices: KnownSlices, body_part: str, length: float) -> Tensor:
    """Move a plane's slices ``[S, S, S]`` so that those at known positions are the known ones."""
    size = len(slices)
    cube = Cube(values=from_plane(slices, known_slices.plane), body_part=body_part)
    off = known_slices.images.to(slices) - cube.slices(known_slices.plane, known_slices.positions)
    where = _positions(size, known_slices.plane, body_part).tolist()
    return slices + spread(off, known_slices.positions, where, length)


class _View:
    """The cube's slices in one plane, and the noise that is left in them."""

    def __init__(
        self,
        generator: Generator,
        description: Description,
        *,
        guidance_scale: float,
        noise: Tensor,
        spatial: Tensor | None,
        batch_size: int,
    ) -> None:
        self._generator = generator
        self._description = description
        self._guidance = guidance_scale
        self._noise = noise.to(generator.device)
        self._spatial = spatial
        size = generator.image_size
        where = _positions(size, description.plane, description.body_part)
        self._where = where.clamp(0, 1).to(generator.device)
        self._batches = [slice(at, at + batch_size) for at in range(0, size, batch_size)]
        # The autoencoder loses a little: what its images are encoded to differs from what they
        # were decoded from. Only what the other planes changed is to count.
        self._latents = self._image_latents = torch.zeros_like(self._noise)

    def weights(self) -> Tensor:
        """How much this plane's slices count in the cube, ``[S, S, S]``."""
        size, plane = self._generator.image_size, self._description.plane
        where = _positions(size, plane, self._description.body_part)
        inside = (where > _EDGE) & (where < 1 - _EDGE)
        share = torch.where(inside, 1.0, _OUTSIDE).to(self._generator.device)
        return from_plane(share[:, None, None].expand(size, size, size), plane)

    @torch.no_grad()
    def step(self, cube: Tensor | None, timestep: int) -> Tensor:
        """Estimate the clean cube from the present one with noise of a timestep."""
        generator = self._generator
        signal, scale = levels(generator, timestep)
        noisy = scale * self._noise
        if cube is not None:
            latents = generator.encode(to_plane(cube, self._description.plane)[:, None])
            noisy = noisy + signal * (self._latents + latents - self._image_latents)
        prediction = torch.cat(
            [
                guided_prediction(
                    generator,
                    noisy[rows],
                    timestep,
                    [self._description.caption()] * len(noisy[rows]),
                    self._where[rows],
                    None if self._spatial is None else self._spatial[rows],
                    self._guidance,
                )
                for rows in self._batches
            ]
        )
        self._latents, self._noise = clean_and_noise(generator, noisy, prediction, timestep)
        images = generator.decode(self._latents)
        self._image_latents = generator.encode(images)
        return from_plane(images[:, 0], self._description.plane)


def _positions(size: int, plane: str, body_part: str) -> Tensor:
    """Positions of a cube's slices, ``[S]``; beyond 0 and 1 where the region has ended."""
    voxels = extent_mm(body_part, plane) / pixel_mm(body_part, size)
    return 0.5 + (torch.arange(size) - (size - 1) / 2) / voxels


def _placed(
    known_slices: KnownSlices, size: int, body_part: str, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return a cube with the known slices at their nearest places, and where they are."""
    values = torch.zeros(size, size, size, device=device)
    is_given = torch.zeros(size, size, size, dtype=torch.bool, device=device)
    index = cube_index(size, known_slices.plane, body_part, known_slices.positions).round().long()
    values[index], is_given[index] = known_slices.images.to(device), True
    return from_plane(values, known_slices.plane), from_plane(is_given, known_slices.plane)


def _conditions(values: Tensor, is_given: Tensor, plane: str) -> Tensor:
    """Known voxels as partial images of a plane's slices, ``[S, SPATIAL_CHANNELS, S, S]``."""
    images = to_plane(values, plane).cpu().numpy()
    where = to_plane(is_given, plane).cpu().numpy()
    return torch.from_numpy(
        np.stack(
            [
                spatial_conditions(image.shape, partial=image, known_pixels=mask)
                for image, mask in zip(images, where, strict=True)
            ]
        )
    )
