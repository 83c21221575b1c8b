"""Chest X-rays: line integrals of attenuation through a parametric patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.conditions import LABEL
from .canvas import Canvas
from .points import Floats, Points
from .scene import Scene, Vessels
from .tissue import TISSUES

VIEWS = ("PA", "AP", "lateral")
#: Distance from X-ray source to detector in millimetres; AP films are taken from nearer.
_SOURCE = {"PA": 1800.0, "AP": 1050.0, "lateral": 1800.0}
#: Samples along a ray of a 64-pixel film; finer films take more.
_DEPTH_SAMPLES = 26
#: Attenuation of water per millimetre at about 60 keV effective energy.
_WATER = 0.0205


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Where source, patient and film are.

    Attributes:
        view: One of :data:`VIEWS`.
        size: Height and width of the film in pixels.
        pixel: Width of a pixel in millimetres.
        centre: Point (x, y, z) of the patient in the film's middle.
        angle: Rotation of the film in radians.
        near: Where sampling starts along the ray's axis (y, or x for lateral films).
        far: Where it ends.
        film: Where the film is on that axis: PA films touch the chest, AP films the back.
    """

    view: str
    size: int
    pixel: float
    centre: Floats
    angle: float
    near: float
    far: float
    film: float

    @property
    def samples(self) -> int:
        """Number of samples along a ray."""
        return round(_DEPTH_SAMPLES * max(self.size / 64, 0.5) ** 0.6)

    @property
    def step(self) -> float:
        """Millimetres between samples along a ray."""
        return (self.far - self.near) / self.samples

    def points(self, scene: Scene) -> Points:
        """Samples along all rays, ``[rows, depth, columns]``."""
        steps = np.arange(self.size, dtype=np.float32) - np.float32(self.size / 2 - 0.5)
        rows, columns = np.meshgrid(steps * np.float32(self.pixel), steps * np.float32(self.pixel),
                                    indexing="ij")  # fmt: skip
        c, s = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        across, up = c * columns - s * rows, -(s * columns + c * rows)
        depth = self.near + self.step * (np.arange(self.samples) + 0.5)
        # Rays converge towards the source: 1 at the film, less before it.
        spread = (1 - np.abs(depth - self.film) / _SOURCE[self.view]).astype(np.float32)
        z = up[:, None, :] * spread[:, None] + self.centre[2]
        side = across[:, None, :] * spread[:, None]
        level = np.broadcast_to(depth.astype(np.float32)[:, None], z.shape)
        soft = max(0.6 * self.step, self.pixel)
        if self.view == "lateral":
            return scene.points(level, side + self.centre[1], z, soft)
        return scene.points(side + self.centre[0], level, z, soft)

    def project(self, points: Floats) -> Floats:
        """Find where points ``[n, 3]`` are seen: (column, row) in millimetres, ``[n, 2]``."""
        side, ray = (1, 0) if self.view == "lateral" else (0, 1)
        spread = 1 - np.abs(points[:, ray] - self.film) / _SOURCE[self.view]
        u = (points[:, side] - self.centre[side]) / spread
        v = -(points[:, 2] - self.centre[2]) / spread
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.stack([c * u + s * v, c * v - s * u], axis=1).astype(np.float32)


def draw_geometry(rng: np.random.Generator, scene: Scene, view: str, size: int) -> Projection:
    """Draw how a film is taken.

    Args:
        rng: Draws zoom, centring and rotation.
        scene: The patient.
        view: One of :data:`VIEWS`.
        size: Height and width in pixels.
    """
    axis, margin = (0, 0.0) if view == "lateral" else (1, 8.0)
    near, far = float(scene.low[axis]) - margin, float(scene.high[axis]) + margin
    if view == "lateral":
        width = float(scene.high[2] - scene.low[2]) * rng.uniform(0.9, 1.1)
    else:
        width = 2 * float(scene.high[0]) * rng.uniform(0.84, 1.0 + 0.3 * rng.random())
    middle = rng.normal((0, 4, 2), (9, 6, 12)).astype(np.float32)
    return Projection(
        view=view,
        size=size,
        pixel=width / size,
        centre=middle,
        angle=float(rng.normal(0, 0.04)),
        near=near,
        far=far,
        film=far if view == "AP" else near,
    )


def path_integrals(
    rng: np.random.Generator, scene: Scene, geometry: Projection
) -> tuple[Floats, Canvas]:
    """Integrate attenuation along every ray.

    Returns:
        Line integrals float32 ``[H, W]`` (dimensionless), and the samples they come from,
        ``[H, depth, W]``.
    """
    canvas = scene.paint(geometry.points(scene), _attenuations(rng), film=True)
    path = canvas.values[0].sum(axis=1)
    path *= np.float32(geometry.step)
    if scene.vessels is not None:
        _add_vessels(path, scene, scene.vessels, geometry)
    return path, canvas


def _attenuations(rng: np.random.Generator) -> dict[str, Floats]:
    """Attenuation per millimetre of each tissue at a random effective energy."""
    bone, lung = rng.uniform(0.7, 1.7), rng.uniform(0.9, 1.9)
    table = {}
    for name, tissue in TISSUES.items():
        hu = tissue.hu * bone if tissue.hu > 150 else tissue.hu
        table[name] = np.array([max(_WATER * (1 + hu / 1000), 0.0)], np.float32)
    table["lung"] *= np.float32(lung)
    return table


def _add_vessels(path: Floats, scene: Scene, vessels: Vessels, geometry: Projection) -> None:
    """Add thin tubes, which samples in depth would miss, by their cross-sections.

    Each tube is cut into short pieces, and each piece into nine strands whose shares follow
    the chord lengths of a disc; a strand's integral is spread over its four nearest pixels.
    """
    pixel, size = geometry.pixel, geometry.size
    starts, ends = (geometry.project(scene.place(n)) for n in (vessels.starts, vessels.ends))
    radii, spatial = vessels.radii, np.linalg.norm(vessels.ends - vessels.starts, axis=1)
    steps = ends - starts
    lengths = np.linalg.norm(steps, axis=1) + 1e-3
    counts = np.ceil(lengths / (0.6 * pixel)).astype(int) + 1
    owner = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    share = (np.arange(len(owner)) - first[owner] + 0.5) / counts[owner]
    across = np.stack([-steps[:, 1], steps[:, 0]], axis=1) / lengths[:, None]
    places = np.array([-0.88, -0.66, -0.44, -0.22, 0.0, 0.22, 0.44, 0.66, 0.88], np.float32)
    chords = np.sqrt(1 - places**2)
    at = starts[owner] + share[:, None] * steps[owner]
    sideways = (radii[:, None] * across)[owner]
    at = at[:, None] + places[:, None] * sideways[:, None]
    mass = 0.85 * _WATER * np.pi * radii**2 * spatial / counts / pixel**2
    weights = (mass[owner, None] * chords / chords.sum()).ravel()
    column, row = (at.reshape(-1, 2) / pixel + (size / 2 - 0.5)).T
    left, top = np.floor(column).astype(int), np.floor(row).astype(int)
    for dx in (0, 1):
        for dy in (0, 1):
            x, y = left + dx, top + dy
            near = (1 - np.abs(column - x)) * (1 - np.abs(row - y)) * weights
            inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
            flat = np.bincount((y * size + x)[inside], near[inside], minlength=size * size)
            path += flat.reshape(size, size).astype(np.float32)


def projected_labels(canvas: Canvas, step: float) -> NDArray[np.uint8]:
    """Outline on a film what a reader would outline.

    Args:
        canvas: Samples ``[H, depth, W]``.
        step: Millimetres between samples in depth.

    Returns:
        Label map ``[H, W]``: body, then dense bone, lungs, heart with vessels, findings.
    """

    def thickness(name: str) -> Floats:
        hits = np.count_nonzero(canvas.labels == LABEL[name], axis=1)
        return hits.astype(np.float32) * np.float32(step)

    lesion = thickness("lesion")
    lung = thickness("lung") + lesion
    mask = np.where((canvas.labels > 0).any(axis=1), LABEL["body"], 0).astype(np.uint8)
    mask[thickness("bone") > 26] = LABEL["bone"]
    mask[lung > 30] = LABEL["lung"]
    mask[thickness("heart") > 34] = LABEL["heart"]
    mask[(lesion > 16) & (lung > 14)] = LABEL["lesion"]
    return mask
