"""Build a whole head around the skull-stripped template brain.

From inside out: brain, cerebrospinal fluid, dura, the skull with its two tables and the
marrow between, muscle, fat and skin; in front a face with eyes, orbits, air sinuses and a
nose; behind and below the ears, mastoids and neck. Positions are in template space.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .face import paint_face
from .shapes import Axes, Field, Tissues, blend, cone, ellipsoid, intersection, mirrored
from .template import Brain, axes

#: Tissue classes; what a voxel lacks to one is air.
TISSUES = (
    "grey",
    "white",
    "fluid",
    "dura",  # falx, tentorium and venous sinuses
    "cortical",  # compact bone
    "marrow",  # diploe and skull base
    "muscle",
    "fat",
    "skin",
    "vitreous",
    "lens",
)


def build_head(brain: Brain) -> tuple[NDArray[np.float32], Field, Field]:
    """Tissue fractions of the whole head, and the two distances that deformations use.

    Args:
        brain: The template on the head grid.

    Returns:
        Fractions ``[len(TISSUES), Z, Y, X]``; the signed distance in mm to the inside of
        the skull (negative inside); the distance to the lateral ventricles (zero inside).
    """
    grid = axes(brain.spacing)
    tissues = Tissues(TISSUES, brain.grey.shape, brain.spacing)
    inside = _inner_skull(brain)
    thickness = _skull_thickness(grid)
    skin = _outer_surface(grid, inside, thickness)
    _paint_soft_tissue(tissues, skin)
    paint_face(tissues, grid, inside, skin)
    _paint_skull(tissues, inside, thickness)
    _paint_brain(tissues, grid, brain, inside)
    return tissues.fractions, inside, _ventricle_distance(tissues, grid)


def _inner_skull(brain: Brain) -> Field:
    """Signed distance to the inner table: the closed, slightly grown surface of the brain."""
    spacing = brain.spacing
    tissue = (brain.grey + brain.white) > 0.35
    # Thin leftovers of the average (tips of the temporal poles) would make spurs of skull.
    tissue = ndimage.binary_opening(tissue, iterations=max(1, round(3.0 / spacing)))
    around = ndimage.distance_transform_edt(~tissue, sampling=spacing) < 9.0
    inside = ndimage.distance_transform_edt(around, sampling=spacing) > 9.0 - 1.8
    # The cistern between brain stem and frontal lobes is too wide for the closing to bridge.
    inside |= ellipsoid(axes(spacing), (0.0, -6.0, -20.0), (13.0, 15.0, 9.0)) < 0.0
    distance = ndimage.distance_transform_edt(~inside, sampling=spacing)
    distance -= ndimage.distance_transform_edt(inside, sampling=spacing)
    return np.asarray(ndimage.gaussian_filter(distance, 3.0 / spacing), np.float32)


def _skull_thickness(grid: Axes) -> Field:
    """Thickness of the vault in mm: thick behind and in front, thin at the temples."""
    z, y, x = grid
    temple = np.exp(-((np.abs(x) - 68.0) ** 2 / 900.0 + y**2 / 1600.0 + (z + 15.0) ** 2 / 1200.0))
    behind = np.exp(-((y - 105.0) ** 2 / 1200.0 + x**2 / 1600.0 + (z + 5.0) ** 2 / 2000.0))
    front = np.exp(-((y + 80.0) ** 2 / 500.0 + x**2 / 1200.0 + (z - 5.0) ** 2 / 900.0))
    return np.asarray(6.2 - 2.7 * temple + 2.4 * behind + 1.2 * front, np.float32)


def _outer_surface(grid: Axes, inside: Field, thickness: Field) -> Field:
    """Signed distance to the skin: scalp, temporal muscle, face, neck and ears."""
    z, y, x = grid
    temple = np.exp(
        -((np.abs(x) - 66.0) ** 2 / 700.0 + (y + 22.0) ** 2 / 800.0 + (z + 22.0) ** 2 / 900.0)
    )
    scalp = inside - thickness - (5.5 + 9.0 * temple)
    solids = [
        scalp,
        ellipsoid(grid, (0.0, -28.0, -88.0), (64.0, 66.0, 86.0)),  # face
        ellipsoid(grid, (0.0, 46.0, -96.0), (66.0, 62.0, 62.0)),  # neck
        ellipsoid(grid, (0.0, -80.0, -20.0), (32.0, 11.0, 18.0)),  # brow
        ellipsoid(grid, (0.0, -88.0, -66.0), (13.0, 27.0, 26.0)),  # nose
    ]
    for sign in (-1.0, 1.0):
        solids.append(ellipsoid(grid, (sign * 52.0, -52.0, -54.0), (17.0, 22.0, 16.0)))  # cheek
    head = blend(solids, 10.0)
    ears = [ellipsoid(grid, p, (4.5, 15.0, 27.0)) for p in mirrored((77.0, 26.0, -42.0))]
    return blend([head, *ears], 3.0)


def _paint_soft_tissue(tissues: Tissues, skin: Field) -> None:
    """Skin over fat over muscle, by depth below the surface."""
    tissues.paint(tissues.occupancy(skin), skin=1.0)
    tissues.paint(tissues.occupancy(skin + 1.8), fat=1.0)
    # Muscle is streaked by fat, so deep tissue is not one flat grey.
    rng = np.random.default_rng(1)
    streaks = ndimage.gaussian_filter(
        rng.standard_normal(skin.shape, np.float32), 4.0 / tissues.spacing
    )
    fat = np.clip(0.18 + 0.16 * streaks / streaks.std(), 0.0, 0.7)
    tissues.paint(tissues.occupancy(skin + 5.2), muscle=1.0 - fat, fat=fat)


def _paint_skull(tissues: Tissues, inside: Field, thickness: Field) -> None:
    """The vault: compact bone with marrow between its tables where it is thick enough."""
    tissues.paint(tissues.occupancy(inside - thickness), cortical=1.0)
    table = np.maximum(1.6, 0.27 * thickness)
    diploe = np.maximum(inside - (thickness - table), table - inside)
    tissues.paint(tissues.occupancy(diploe), marrow=0.85, cortical=0.15)


def _paint_brain(tissues: Tissues, grid: Axes, brain: Brain, inside: Field) -> None:
    """Fluid fills the skull, dura lines it and divides it, the brain displaces the fluid."""
    z, y, x = grid
    tissues.paint(tissues.occupancy(inside), fluid=1.0)
    tissues.paint(tissues.occupancy(np.abs(inside + 0.3) - 0.5), dura=1.0)
    falx = intersection(np.abs(x) - 0.7, inside + 0.5, -inside - 26.0, 12.0 - z)
    tissues.paint(tissues.occupancy(falx), dura=1.0)
    # The sagittal sinus: a vein under the vault's midline, from the brow to the back.
    sinus = intersection(
        np.abs(inside + 2.5) - 2.5, np.abs(x) - 4.0, np.minimum(15.0 - z, 60.0 - y)
    )
    tissues.paint(tissues.occupancy(sinus), dura=1.0)
    _paint_ridges(tissues, grid)
    solid = np.maximum(brain.grey + brain.white, 1e-3)
    share = tissues.occupancy(inside + 0.5) * np.minimum(solid, 1.0)
    tissues.paint(share, grey=brain.grey / solid, white=brain.white / solid)


def _paint_ridges(tissues: Tissues, grid: Axes) -> None:
    """The bony ridges that reach between the lobes: petrous bones and sphenoid wings."""
    ridges = [
        *(
            cone(grid, p, (np.sign(p[0]) * 13.0, 12.0, -40.0), 10.0, 5.0)
            for p in mirrored((58.0, 42.0, -44.0))
        ),
        *(
            cone(grid, p, (np.sign(p[0]) * 12.0, -12.0, -22.0), 4.0, 2.5)
            for p in mirrored((46.0, -24.0, -16.0))
        ),
    ]
    tissues.paint(tissues.occupancy(blend(ridges, 2.0)), cortical=0.8, marrow=0.2)


def _ventricle_distance(tissues: Tissues, grid: Axes) -> Field:
    """Distance in mm to the lateral and third ventricles: fluid deep within the brain."""
    z, y, x = grid
    central = (np.abs(x) < 30.0) & (y > -42.0) & (y < 48.0) & (z > -10.0) & (z < 34.0)
    fluid = (tissues["fluid"] > 0.5) & central
    labels, _ = ndimage.label(fluid)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    ventricles = labels == int(sizes.argmax())
    distance = ndimage.distance_transform_edt(~ventricles, sampling=tissues.spacing)
    return np.asarray(ndimage.gaussian_filter(distance, 2.0 / tissues.spacing), np.float32)
