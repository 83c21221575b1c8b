"""The canvas: tissue values and labels while solids are painted over each other."""

from __future__ import annotations

import numpy as np

from .points import Floats, Points, Solid, Window


class Canvas:
    """What is painted at a set of points.

    Args:
        points: Where the samples lie.
        background: Value of each channel outside everything, float32 ``[channels]``.

    Attributes:
        values: float32 ``[channels, *shape]``.
        labels: uint8 ``[*shape]``, codes of ``conditions.LABEL``.
    """

    def __init__(self, points: Points, background: Floats) -> None:
        self.points = points
        shape = points.x.shape
        self.values = np.empty((len(background), *shape), np.float32)
        self.values[:] = background.reshape(-1, *(1 for _ in shape))
        self.labels = np.zeros(shape, np.uint8)

    def paint(
        self,
        solid: Solid,
        values: Floats,
        label: int | None,
        alpha: float = 1.0,
        within: Solid | None = None,
    ) -> None:
        """Paint one solid over what is there, with an edge as soft as the sampling.

        Args:
            solid: What to paint.
            values: float32 ``[channels]``.
            label: Code for the samples inside; ``None`` leaves the labels as they are.
            alpha: Opacity in (0, 1].
            within: Solid that clips this one.
        """
        width = max(self.points.soft, solid.edge)
        window: Window = (slice(None),) * self.points.x.ndim
        points = self.points
        if solid.box is not None:
            margin = np.array([[-width], [width]], np.float32) * np.float32(0.5)
            around = points.window(solid.box + margin)
            if around is None:
                return
            window = around
            points = points.crop(window)
        distance = points.distance(solid)
        if within is not None:
            distance = np.maximum(distance, points.distance(within))
        weight = distance * np.float32(-1.0 / width)
        weight += np.float32(0.5)
        np.clip(weight, 0.0, 1.0, out=weight)
        if alpha != 1.0:
            weight *= np.float32(alpha)
        for channel, value in enumerate(values):
            view = self.values[channel][window]
            change = value - view
            change *= weight
            view += change
        if label is not None:
            self.labels[window][distance < 0] = label
