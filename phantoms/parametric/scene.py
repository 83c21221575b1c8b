"""A parametric patient: an ordered list of solids and what each is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas
from .points import Floats, Points, Solid
from .textures import NoiseField, Warp
from .tissue import TISSUES


@dataclass(frozen=True, eq=False)
class Layer:
    """Solids of one tissue, painted over the layers before them.

    Attributes:
        tissue: Key of :data:`~.tissue.TISSUES`.
        solids: Their shapes; a layer of many small ones is cheap where few are hit.
        alpha: Opacity; below 1 for what only partly displaces the tissue under it.
        within: Solid that clips them.
        slices: Whether slices show the layer.
        films: Whether projections show it.
        boxes: The solids' boxes, float32 ``[n, 2, 3]``, where all have one; without them
            every solid is looked at.
    """

    tissue: str
    solids: Sequence[Solid]
    alpha: float = 1.0
    within: Solid | None = None
    slices: bool = True
    films: bool = True
    boxes: Floats | None = None


def of(tissue: str, *solids: Solid, alpha: float = 1.0, within: Solid | None = None) -> Layer:
    """Make a layer of a tissue from solids."""
    boxes = [solid.box for solid in solids if solid.box is not None]
    all_bounded = len(boxes) == len(solids) > 1
    return Layer(tissue, solids, alpha, within, boxes=np.stack(boxes) if all_bounded else None)


@dataclass(frozen=True, eq=False)
class Vessels:
    """Thin straight tubes in the lungs; projections draw them by formula, being so thin.

    Attributes:
        starts: First ends (x, y, z) in millimetres, float32 ``[n, 3]``.
        ends: Other ends, float32 ``[n, 3]``.
        radii: Radii in millimetres, float32 ``[n]``.
    """

    starts: Floats
    ends: Floats
    radii: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """One random patient.

    Attributes:
        body_part: "head", "chest" or "abdomen".
        layers: What the patient is made of, outermost first.
        warp: Smooth individual deformation.
        turn: Rotation matrix of the patient on the table.
        low: Lower corner (x, y, z) of the body region in millimetres.
        high: Upper corner.
        grain: Fine texture.
        mottle: Coarser texture.
        finding: The patient's finding; a slice may not show it.
        enlarged_heart: Whether the finding is the heart's size, which no lesion label shows.
        sex: Word of the closed vocabulary.
        years: Age.
        vessels: Thin tubes that projections draw by formula, where there are any.
    """

    body_part: str
    layers: tuple[Layer, ...]
    warp: Warp
    turn: NDArray[np.float64]
    low: Floats
    high: Floats
    grain: NoiseField
    mottle: NoiseField
    finding: str
    enlarged_heart: bool = False
    sex: str
    years: float
    vessels: Vessels | None = None

    def points(self, x: Floats, y: Floats, z: Floats, soft: float) -> Points:
        """Move scanner coordinates into the anatomy: turn, then warp.

        Args:
            x: Millimetres to the left, float32, any shape.
            y: Millimetres to the back, same shape.
            z: Millimetres to the head, same shape.
            soft: Width of edges in millimetres.
        """
        middle = (self.low + self.high) / 2
        turn = self.turn.astype(np.float32)
        offsets = [c - m for c, m in zip((x, y, z), middle, strict=True)]
        rotation = [
            row[0] * offsets[0] + row[1] * offsets[1] + row[2] * offsets[2] + centre
            for row, centre in zip(turn, middle, strict=True)
        ]
        return Points(*self.warp(*rotation), soft)

    def place(self, positions: Floats) -> Floats:
        """Find where the scanner sees places of the anatomy (the inverse to first order).

        Args:
            positions: Places in the anatomy, float32 ``[n, 3]``.

        Returns:
            Scanner coordinates, float32 ``[n, 3]``.
        """
        images = np.stack(self.warp(*positions.T), axis=1)
        middle = (self.low + self.high) / 2
        return ((2 * positions - images - middle) @ self.turn + middle).astype(np.float32)

    def paint(self, points: Points, values: dict[str, Floats], *, film: bool = False) -> Canvas:
        """Paint all layers.

        Args:
            points: Where.
            values: Channel values of each tissue, float32 ``[channels]``.
            film: Whether this is for a projection.
        """
        canvas = Canvas(points, values["air"])
        for layer in self.layers:
            if not (layer.films if film else layer.slices):
                continue
            solids = layer.solids
            if layer.boxes is not None:
                solids = [solids[i] for i in points.near(layer.boxes)]
            label = TISSUES[layer.tissue].label
            for solid in solids:
                canvas.paint(solid, values[layer.tissue], label, layer.alpha, layer.within)
        return canvas
