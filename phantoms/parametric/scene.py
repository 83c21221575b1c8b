"""A parametric patient: an ordered list of solids and what each is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .points import Canvas, Points
from .solids import Solid
from .textures import NoiseField, Warp
from .tissue import TISSUES

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Layer:
    """One solid of one tissue, painted over the layers before it.

    Attributes:
        tissue: Key of :data:`~.tissue.TISSUES`.
        solid: Its shape.
        alpha: Opacity; below 1 for what only partly displaces the tissue under it.
        labelled: Whether the mask shows it.
    """

    tissue: str
    solid: Solid
    alpha: float = 1.0
    labelled: bool = True


@dataclass(frozen=True, eq=False)
class Vessel:
    """A thin straight tube in the lung; projected by formula, being thinner than a sample.

    Attributes:
        start: First end, millimetres.
        end: Other end, millimetres.
        radius: Radius in millimetres.
    """

    start: Floats
    end: Floats
    radius: float


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
        diffuse: Whether every image of the patient shows the finding, lesion pixels or not.
        sex: Word of the closed vocabulary.
        years: Age.
        vessels: Thin tubes that projections draw by formula.
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
    diffuse: bool = False
    sex: str
    years: float
    vessels: tuple[Vessel, ...] = ()
    lung: Solid | None = field(default=None)

    def points(self, x: Floats, y: Floats, z: Floats, soft: float, fine: float) -> Points:
        """Move scanner coordinates into the anatomy: turn, then warp."""
        middle = (self.low + self.high) / 2
        shifted = [c - m for c, m in zip((x, y, z), middle, strict=True)]
        turned = [
            sum((np.float32(row[i]) * shifted[i] for i in range(3)), start=middle[axis])
            for axis, row in enumerate(self.turn)
        ]
        return Points(*self.warp(*turned), soft, fine)

    def paint(self, points: Points, values: dict[str, Floats]) -> Canvas:
        """Paint all layers.

        Args:
            points: Where.
            values: Channel values of each tissue, float32 ``[channels]``.
        """
        canvas = Canvas(points, values["air"])
        for layer in self.layers:
            label = TISSUES[layer.tissue].label if layer.labelled else None
            canvas.paint(layer.solid, values[layer.tissue], label, layer.alpha)
        return canvas
