"""Evaluate a patient's anatomy at the points of the wanted slices, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .atlas import COARSE, HeadAtlas
from .head import TISSUES
from .patient import Head, Lesion
from .template import BOX_LOW

#: Tissue classes of a patient: those of the atlas, and those of a lesion.
PATIENT_TISSUES = (*TISSUES, "rim", "core", "oedema", "scar")
_BRAIN = [TISSUES.index(name) for name in ("grey", "white")]
_FLUID = TISSUES.index("fluid")


@dataclass(frozen=True)
class SliceGrid:
    """Where a stack of axial slices lies in scanner space.

    Attributes:
        matrix: Rows and columns of a slice.
        pixel: Pixel size in mm.
        thickness: Slice thickness in mm.
        heights: z of each slice's centre in mm, ascending.
        corner: (y, x) in mm of the centre of the first pixel: front, patient's right.
    """

    matrix: int
    pixel: float
    thickness: float
    heights: tuple[float, ...]
    corner: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns."""
        return len(self.heights), self.matrix, self.matrix


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A patient's tissues on a slice grid.

    Attributes:
        fractions: float32 ``[len(PATIENT_TISSUES), S, H, W]``; the rest is air.
        texture: Brain texture ``[S, H, W]`` as a share of the contrast from grey to white.
        lesion: Share of each voxel that is lesion (without its oedema), ``[S, H, W]``.
    """

    fractions: NDArray[np.float32]
    texture: NDArray[np.float32]
    lesion: NDArray[np.float32]

    def share(self, *names: str) -> NDArray[np.float32]:
        """Summed fraction of the named tissues, ``[S, H, W]``."""
        return np.asarray(
            sum(self.fractions[PATIENT_TISSUES.index(name)] for name in names), np.float32
        )


def sample_anatomy(atlas: HeadAtlas, head: Head, grid: SliceGrid) -> Anatomy:
    """Evaluate a patient's tissues on the points of a slice grid.

    Args:
        atlas: The average head at the scanner's resolution (``HeadAtlas.seen_by``).
        head: The patient.
        grid: The slices.
    """
    points = _template_points(head, grid)
    index = _index(points, atlas.spacing)
    fractions = np.zeros((len(PATIENT_TISSUES), index.shape[1]), np.float32)
    for channel, volume in enumerate(atlas.tissues):
        ndimage.map_coordinates(volume, index, fractions[channel], order=1)
    texture = ndimage.map_coordinates(atlas.texture, index, order=1)
    _widen_sulci(fractions, head.sulci)
    lesion = np.zeros(index.shape[1], np.float32)
    if head.lesion is not None:
        lesion = _place_lesion(fractions, points, head.lesion, head.roughness)
        texture *= 1.0 - np.clip(lesion, 0.0, 1.0)
    return Anatomy(
        fractions.reshape(-1, *grid.shape), texture.reshape(grid.shape), lesion.reshape(grid.shape)
    )


def _template_points(head: Head, grid: SliceGrid) -> NDArray[np.float32]:
    """Template coordinates ``[3, N]`` (z, y, x in mm) of the grid's points."""
    offsets = np.arange(grid.matrix) * grid.pixel
    z, y, x = np.meshgrid(
        grid.heights, grid.corner[0] + offsets, grid.corner[1] + offsets, indexing="ij"
    )
    scanner = np.stack([z.ravel(), y.ravel(), x.ravel()])
    points = head.to_atlas[:, :3] @ scanner + head.to_atlas[:, 3:]
    index = _index(points, COARSE)
    for axis in range(3):
        points[axis] += ndimage.map_coordinates(
            head.displacement[axis], index, order=1, mode="nearest"
        )
    return points.astype(np.float32)


def _index(points: NDArray[np.floating], spacing: float) -> NDArray[np.floating]:
    return (points - np.reshape(BOX_LOW, (3, 1))) / spacing


def _widen_sulci(fractions: NDArray[np.float32], exponent: float) -> None:
    """Raise the fluid's share of voxels that hold brain and fluid, as atrophy does."""
    fluid = fractions[_FLUID]
    brain = fractions[_BRAIN].sum(0)
    both = brain + fluid
    share = fluid / np.maximum(both, 1e-4)
    wider = np.where(both > 0.05, both * share**exponent, fluid)
    fractions[_BRAIN] *= (both - wider) / np.maximum(brain, 1e-4)
    fractions[_FLUID] = wider


def _place_lesion(
    fractions: NDArray[np.float32],
    points: NDArray[np.float32],
    lesion: Lesion,
    roughness: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Replace brain by lesion; return the lesion's share of each point."""
    near = np.abs(points - np.reshape(lesion.centre, (3, 1))).max(0) < 48.0
    local = points[:, near]
    away = (local - np.reshape(lesion.centre, (3, 1))) / np.reshape(lesion.radii, (3, 1))
    size = float(np.mean(lesion.radii))
    depth = (1.0 - np.linalg.norm(away, axis=0)) * size
    depth += lesion.roughness * ndimage.map_coordinates(
        roughness, _index(local, COARSE), order=1, mode="nearest"
    )
    within = np.clip(0.5 + depth / 2.5, 0.0, 1.0)
    parts: dict[str, NDArray[np.floating]]
    if lesion.kind == "tumour":
        centre = np.clip(0.5 + (depth - 0.42 * size) / 2.5, 0.0, 1.0)
        around = np.clip(0.5 + (depth + lesion.oedema) / 4.0, 0.0, 1.0) - within
        parts = {"rim": within - centre, "core": centre, "oedema": np.maximum(around, 0.0)}
    else:
        parts = {"scar": within}
    block = fractions[:, near]
    white = block[_BRAIN[1]].copy()
    room = block[_BRAIN].sum(0)
    taken = np.zeros_like(room)
    for name, part in parts.items():
        # Oedema spreads along white matter and spares the cortex.
        amount = part * (0.25 * room + 0.75 * white if name == "oedema" else room)
        block[PATIENT_TISSUES.index(name)] += amount
        taken += amount
    block[_BRAIN] *= 1.0 - taken / np.maximum(room, 1e-4)
    fractions[:, near] = block
    share = np.zeros(fractions.shape[1], np.float32)
    share[near] = within * room
    return share
