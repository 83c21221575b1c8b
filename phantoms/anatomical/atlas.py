"""The head atlas: everything about anatomy that patients share, computed once a process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .head import TISSUES, build_head
from .shapes import Field
from .template import BOX_LOW, Brain, load_brain

#: Spacing in mm of the grid on which displacements are drawn; they are smooth.
COARSE = 6.0
#: How far, in mm, the push of growing ventricles and of a shrinking cortex fades.
_VENTRICLE_REACH = 15.0
_CORTEX_REACH = 15.0
_CORTEX_DEPTH = 6.0


@dataclass(frozen=True, eq=False)
class HeadAtlas:
    """Tissue fractions of the average head and the displacements of ageing.

    Attributes:
        spacing: Grid spacing in mm.
        tissues: Fractions, float32 ``[len(TISSUES), Z, Y, X]``; the rest is air.
        texture: The template's T1 intensity beyond what the tissue fractions explain, as a
            share of the contrast from grey to white, ``[Z, Y, X]``.
        presence: 1 where any tissue is near, else 0, uint8 ``[Z, Y, X]``.
        interior: 1 within the skull, fading to 0 at it, ``[z, y, x]`` on the coarse grid.
        ventricle_push: Displacement ``[3, z, y, x]`` (z, y, x components) on the coarse grid
            that widens the ventricles by 1 mm.
        cortex_pull: Displacement likewise that draws the cortex 1 mm from the skull.
        lesion_sites: Points ``[n, 3]`` (z, y, x in mm) where a lesion may be centred.
    """

    spacing: float
    tissues: NDArray[np.float32]
    texture: NDArray[np.float32]
    presence: NDArray[np.uint8]
    interior: NDArray[np.float32]
    ventricle_push: NDArray[np.float32]
    cortex_pull: NDArray[np.float32]
    lesion_sites: NDArray[np.float32]

    def seen_by(self, pixel: float, thickness: float) -> HeadAtlas:
        """The atlas as a scanner resolves it: averaged over the size of its voxels.

        Averaging fractions before they are mixed into a signal is what partial volume does.

        Args:
            pixel: In-plane pixel size in mm.
            thickness: Slice thickness in mm.
        """
        # A Gaussian with the standard deviation of a box of the voxel's size.
        sigmas = np.array([thickness, pixel, pixel]) / np.sqrt(12.0) / self.spacing
        tissues = np.stack([ndimage.gaussian_filter(t, sigmas, truncate=3.0) for t in self.tissues])
        texture = ndimage.gaussian_filter(self.texture, sigmas, truncate=3.0)
        return replace(self, tissues=tissues, texture=texture)


@lru_cache(maxsize=1)
def load_atlas(spacing: float = 2.0) -> HeadAtlas:
    """Build the atlas from the template; some seconds once, then cached.

    Args:
        spacing: Grid spacing in mm.
    """
    brain = load_brain(spacing)
    tissues, inside, ventricles = build_head(brain)
    return HeadAtlas(
        spacing=spacing,
        tissues=tissues,
        texture=_texture(brain, tissues),
        presence=_presence(tissues, spacing),
        interior=_thin(np.clip(-inside / 6.0, 0.0, 1.0), spacing),
        ventricle_push=_coarse_vectors(
            -np.exp(-ventricles / _VENTRICLE_REACH), ventricles, brain.spacing
        ),
        cortex_pull=_coarse_vectors(_cortex_weight(inside), inside, brain.spacing),
        lesion_sites=_lesion_sites(brain, inside, ventricles),
    )


def _texture(brain: Brain, tissues: NDArray[np.float32]) -> NDArray[np.float32]:
    """What of the template's T1 image its tissue fractions leave unexplained."""
    grey, white, fluid = (tissues[TISSUES.index(name)] for name in ("grey", "white", "fluid"))
    within = (grey + white + fluid > 0.98) & (brain.t1 > 0.05)
    fractions = np.stack([grey[within], white[within], fluid[within]], axis=1)
    levels = np.linalg.lstsq(fractions, brain.t1[within], rcond=None)[0]
    residual = np.zeros_like(brain.t1)
    residual[within] = (brain.t1[within] - fractions @ levels) / (levels[1] - levels[0])
    return np.clip(residual, -1.0, 1.0) * (grey + white)


def _cortex_weight(inside: Field) -> Field:
    """How much of the pull reaches each depth: none at the skull, most 6 mm beneath it."""
    depth = np.maximum(-inside, 0.0)
    fade = np.exp(-np.maximum(depth - _CORTEX_DEPTH, 0.0) / _CORTEX_REACH)
    return np.asarray(np.minimum(depth / _CORTEX_DEPTH, 1.0) * fade, np.float32)


def _coarse_vectors(weight: Field, distance: Field, spacing: float) -> NDArray[np.float32]:
    """``weight`` times the unit gradient of ``distance``, on the coarse grid."""
    slopes = np.asarray(np.gradient(distance, spacing))
    slopes /= np.maximum(np.linalg.norm(slopes, axis=0), 0.3)
    vectors = slopes * weight
    return np.stack([_thin(component, spacing) for component in vectors])


def _thin(field: Field, spacing: float) -> Field:
    """Bring a field onto the coarse grid, averaged first so that its kinks do not fold space."""
    smooth = ndimage.gaussian_filter(field, 3.5 / spacing)
    step = round(COARSE / spacing)
    return np.ascontiguousarray(smooth[::step, ::step, ::step], np.float32)


def _presence(tissues: NDArray[np.float32], spacing: float) -> NDArray[np.uint8]:
    """Where there is tissue, with room for what a scanner's blur adds around it."""
    head = tissues.max(0) > 0.01
    return ndimage.binary_dilation(head, iterations=round(8.0 / spacing)).astype(np.uint8)


def _lesion_sites(brain: Brain, inside: Field, ventricles: Field) -> NDArray[np.float32]:
    """Cerebral tissue away from skull, ventricles, midline and brain stem."""
    tissue = (brain.grey + brain.white > 0.9) & (inside < -9.0) & (ventricles > 6.0)
    index = np.argwhere(tissue)
    points = index * brain.spacing + np.array(BOX_LOW)
    cerebral = (np.abs(points[:, 2]) > 16.0) & (points[:, 0] > -24.0) & (points[:, 0] < 58.0)
    return np.asarray(points[cerebral], np.float32)
