"""Evaluate a patient's anatomy at the points of the wanted slices, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .atlas import COARSE, HeadAtlas
from .head import TISSUES
from .lesion import LESION_TISSUES, lesion_parts
from .patient import Head
from .template import BOX_LOW

#: Tissue classes of a patient: those of the atlas, and those of a lesion.
PATIENT_TISSUES = (*TISSUES, *LESION_TISSUES)
_BRAIN = [TISSUES.index(name) for name in ("grey", "white")]
_FLUID = TISSUES.index("fluid")


@dataclass(frozen=True)
class AxialGrid:
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

    @property
    def spacing(self) -> float:
        """Distance between the centres of neighbouring slices in mm."""
        return self.heights[1] - self.heights[0] if len(self.heights) > 1 else self.thickness


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A patient's tissues on a slice grid.

    Attributes:
        fractions: float32 ``[len(PATIENT_TISSUES), S, H, W]``; the rest is air.
        texture: Brain texture ``[S, H, W]`` as a share of the contrast from grey to white.
    """

    fractions: NDArray[np.float32]
    texture: NDArray[np.float32]

    def air(self) -> NDArray[np.float32]:
        """Fraction of air, ``[S, H, W]``."""
        return np.asarray(1.0 - self.fractions.sum(0), np.float32)

    def share(self, *names: str) -> NDArray[np.float32]:
        """Summed fraction of the named tissues, ``[S, H, W]``."""
        return np.asarray(
            sum(self.fractions[PATIENT_TISSUES.index(name)] for name in names), np.float32
        )


def sample_anatomy(atlas: HeadAtlas, head: Head, grid: AxialGrid) -> Anatomy:
    """Evaluate a patient's tissues on the points of a slice grid.

    Args:
        atlas: The average head at the scanner's resolution (``HeadAtlas.seen_by``).
        head: The patient.
        grid: The slices.
    """
    points = _template_points(head, grid)
    index = _index(points, atlas.spacing)
    # Half of a scan is the air around the head, which needs no tissue looked up.
    present = ndimage.map_coordinates(atlas.presence, index, order=0).astype(bool)
    points, index = points[:, present], index[:, present]
    fractions = np.zeros((len(PATIENT_TISSUES), index.shape[1]), np.float32)
    for channel, volume in enumerate(atlas.tissues):
        ndimage.map_coordinates(volume, index, fractions[channel], order=1)
    texture = ndimage.map_coordinates(atlas.texture, index, order=1)
    _widen_sulci(fractions, head.sulci)
    for lesion in head.lesions:
        near = np.abs(lesion.offset(points)).max(0) < lesion.size + 30.0
        roughness = ndimage.map_coordinates(
            head.roughness, _index(points[:, near], COARSE), order=1, mode="nearest"
        )
        block = fractions[:, near]
        _replace_brain(block, lesion_parts(lesion, points[:, near], roughness))
        fractions[:, near] = block
    texture *= np.clip(1.0 - fractions[len(TISSUES) :].sum(0), 0.0, 1.0)
    return Anatomy(
        _scatter(fractions, present).reshape(-1, *grid.shape),
        _scatter(texture[None], present).reshape(grid.shape),
    )


def _scatter(values: NDArray[np.float32], present: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Put values ``[C, n]`` of the present points among all points; the others are zero."""
    everywhere = np.zeros((len(values), len(present)), np.float32)
    everywhere[:, present] = values
    return everywhere


def _template_points(head: Head, grid: AxialGrid) -> NDArray[np.float32]:
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


def _replace_brain(fractions: NDArray[np.float32], parts: dict[str, NDArray[np.floating]]) -> None:
    """Let a lesion's tissues take the place of brain in ``[C, n]`` fractions."""
    room = fractions[_BRAIN].sum(0)
    white = fractions[_BRAIN[1]].copy()
    amount_taken = np.zeros_like(room)
    for name, part in parts.items():
        # Oedema spreads along white matter and spares the cortex.
        amount = part * (0.25 * room + 0.75 * white if name == "oedema" else room)
        fractions[PATIENT_TISSUES.index(name)] += amount
        amount_taken += amount
    fractions[_BRAIN] *= 1.0 - amount_taken / np.maximum(room, 1e-4)
