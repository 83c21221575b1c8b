"""The spine of thoraces and abdomens."""

from __future__ import annotations

import numpy as np

from .combine import grown, intersection, outside
from .points import Floats, Points, Solid
from .scene import Layer, of


class Spine:
    """A bent column of vertebrae and discs, with canal and processes behind it.

    Args:
        back: Distance of the vertebral bodies' middle behind the origin, in millimetres.
        bend: Curvature in 1/mm: positive where the middle bulges backwards.
        apex: Height at which it lies furthest back.
        radius: Radius of the vertebral bodies.
        period: Height of a vertebra with its disc.
    """

    def __init__(self, back: float, bend: float, apex: float, radius: float, period: float) -> None:
        self.back, self.bend, self.apex = (
            np.float32(back),
            np.float32(bend),
            np.float32(apex),
        )
        self.radius, self.period = radius, np.float32(period)
        self.bodies = self.pillar(0.0, radius, 1.18).kept()

    def pillar(self, offset: float, radius: float, flat: float) -> Solid:
        """Upright tube that follows the spine ``offset`` millimetres behind its middle."""

        def measure(points: Points) -> Floats:
            y = points.z - self.apex
            y *= y
            y *= self.bend
            y += points.y - (self.back + np.float32(offset))
            y *= np.float32(flat)
            return np.sqrt(points.x**2 + y * y) - np.float32(radius)

        wide = max(radius, radius / flat)
        far = 260.0**2 * float(abs(self.bend))
        low = [-wide, float(self.back) + offset - wide - far, -1e4]
        high = [wide, float(self.back) + offset + wide + far, 1e4]
        return Solid(measure, np.array([low, high], np.float32))

    def discs(self, thickness: float) -> Solid:
        """The gaps between vertebrae."""
        half = np.float32(thickness / 2)

        def measure(points: Points) -> Floats:
            phase = (points.z / self.period) % 1
            phase -= np.float32(0.5)
            return np.abs(phase) * self.period - half

        return Solid(measure)

    def layers(self) -> list[Layer]:
        """Bodies, discs, arches, processes, canal and cord."""
        gaps = outside(self.discs(float(self.period) * 0.3))
        arch = intersection(self.pillar(self.radius * 1.35, self.radius * 0.95, 1.1), gaps)
        levels = outside(self.discs(float(self.period) * 0.66))
        side = intersection(self.pillar(self.radius * 1.2, self.radius * 1.75, 3.2), levels)
        process = intersection(self.pillar(self.radius * 2.5, self.radius * 0.34, 0.4), gaps)
        canal = self.radius * 1.38
        return [
            of("rib", self.bodies),
            of("spongy bone", grown(self.bodies, -1.5)),
            of("disc", intersection(self.bodies, self.discs(float(self.period) * 0.24))),
            of("spongy bone", side, arch, process),
            of("csf", self.pillar(canal, 8.0, 1.0)),
            of("white matter", self.pillar(canal, 4.8, 1.0)),
        ]
