"""Chest X-rays: line integrals of attenuation through a parametric patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ...model.conditions import LABEL
from ...model.description import Description
from ...model.example import Example
from ...model.intensity import percentile_to_model
from .points import Canvas, Points
from .scene import Scene, Vessel
from .textures import smooth_map
from .tissue import TISSUES

Floats = NDArray[np.float32]

#: Distance from X-ray source to detector in millimetres; AP films are taken from nearer.
_SOURCE = {"PA": 1800.0, "AP": 1050.0, "lateral": 1800.0}
_DEPTH_SAMPLES = 34


def draw_projection(
    rng: np.random.Generator, scene: Scene, image_size: int, known: dict[str, str]
) -> Example:
    """Draw a PA, AP or lateral X-ray of a chest.

    Args:
        rng: Source of randomness: view, centring, exposure and processing.
        scene: The patient.
        image_size: Height and width in pixels.
        known: Sex and age band to state.
    """
    view = str(rng.choice(("PA", "AP", "lateral"), p=(0.55, 0.37, 0.08)))
    frame = _Frame.draw(rng, scene, view, image_size)
    points = frame.points(scene)
    canvas = scene.paint(points, _attenuations(rng))
    path = canvas.values[0].sum(axis=1) * np.float32(frame.step)
    for vessel in scene.vessels:
        frame.add_vessel(path, vessel)
    image = _expose(rng, path, view)
    mask = _projected_labels(canvas, frame.step)
    lesion = bool((mask == LABEL["lesion"]).any())
    finding = scene.finding if lesion or scene.diffuse else "no finding"
    return Example(
        image=image,
        description=Description(
            modality="X-ray",
            body_part="chest",
            view=view if rng.random() < 0.85 else "",
            finding=finding if rng.random() < 0.93 else "",
            **known,
        ),
        position=0.5,
        mask=mask,
    )


class _Frame:
    """Geometry of one film: rays from the source through each pixel."""

    def __init__(
        self, view: str, size: int, width: float, centre: Floats, angle: float, scene: Scene
    ) -> None:
        self.view, self.size, self.centre, self.angle = view, size, centre, angle
        self.pixel = width / size
        axis = 0 if view == "lateral" else 1
        self.near, self.far = float(scene.low[axis]) - 26, float(scene.high[axis]) + 26
        if view == "lateral":  # without the arms, which are raised
            self.near, self.far = self.near + 34, self.far - 34
        self.step = (self.far - self.near) / _DEPTH_SAMPLES
        # Depth of the film: PA films touch the chest, AP films the back.
        self.film = self.far if view == "AP" else self.near
        self.source = _SOURCE[view]

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, view: str, size: int) -> _Frame:
        width = 2 * float(scene.high[0]) * rng.uniform(0.86, 1.12)
        if view == "lateral":
            width *= 0.95
        centre = np.array([rng.normal(0, 8), 4.0, rng.normal(-6, 10)], np.float32)
        return cls(view, size, width, centre, rng.normal(0, 0.045), scene)

    def scale(self, depth: Floats) -> Floats:
        """How much a ray has spread at a depth, 1 at the film."""
        return (1 - np.abs(depth - np.float32(self.film)) / np.float32(self.source)).astype(
            np.float32
        )

    def points(self, scene: Scene) -> Points:
        """Samples ``[rows, depth, columns]``."""
        steps = (np.arange(self.size, dtype=np.float32) - (self.size / 2 - 0.5)) * np.float32(
            self.pixel
        )
        c, s = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        depth = self.near + self.step * (np.arange(_DEPTH_SAMPLES, dtype=np.float32) + 0.5)
        depth = depth.astype(np.float32)
        rows, columns = np.meshgrid(steps, steps, indexing="ij")
        across = (c * columns - s * rows)[:, None, :]
        up = -(s * columns + c * rows)[:, None, :]
        spread = self.scale(depth)[None, :, None]
        shape = (self.size, _DEPTH_SAMPLES, self.size)
        level = np.broadcast_to(depth[None, :, None], shape)
        z = up * spread + self.centre[2]
        if self.view == "lateral":
            x, y = level, across * spread + self.centre[1]
        else:
            x, y = across * spread + self.centre[0], level
        return scene.points(x, y, z, 0.75 * self.step, self.pixel)

    def add_vessel(self, path: Floats, vessel: Vessel) -> None:
        """Add a thin tube's path length, which samples in depth would miss."""
        ends = []
        for end in (vessel.start, vessel.end):
            side, depth = (end[1], end[0]) if self.view == "lateral" else (end[0], end[1])
            spread = 1 - abs(depth - self.film) / self.source
            offset = self.centre[1] if self.view == "lateral" else self.centre[0]
            u, v = (side - offset) / spread, -(end[2] - self.centre[2]) / spread
            c, s = np.cos(self.angle), np.sin(self.angle)
            ends.append(
                np.array([c * u - s * -v * -1, c * v - s * u])
                if False
                else np.array([c * u + s * v, -s * u + c * v])
            )
        radius = max(vessel.radius, 0.6 * self.pixel)
        strength = 0.0185 * 2 * vessel.radius**2 / radius
        low = np.minimum(*ends) - radius - self.pixel
        high = np.maximum(*ends) + radius + self.pixel
        half = self.size / 2 - 0.5
        first = np.clip(np.floor(low / self.pixel + half).astype(int), 0, self.size)
        last = np.clip(np.ceil(high / self.pixel + half).astype(int) + 1, 0, self.size)
        if (last <= first).any():
            return
        u = (np.arange(first[0], last[0]) - half)[None, :] * self.pixel - ends[0][0]
        v = (np.arange(first[1], last[1]) - half)[:, None] * self.pixel - ends[0][1]
        step = ends[1] - ends[0]
        along = np.clip((u * step[0] + v * step[1]) / max(float(step @ step), 1e-6), 0, 1)
        square = (u - along * step[0]) ** 2 + (v - along * step[1]) ** 2
        chord = np.sqrt(np.maximum(1 - square / radius**2, 0))
        path[first[1] : last[1], first[0] : last[0]] += (strength * chord).astype(np.float32)


def _attenuations(rng: np.random.Generator) -> dict[str, Floats]:
    """Attenuation per millimetre of each tissue at a random effective energy."""
    bone = rng.uniform(0.9, 1.5)
    table = {}
    for name, tissue in TISSUES.items():
        hu = tissue.hu * (bone if tissue.hu > 150 else 1.0)
        table[name] = np.array([0.02 * (1 + max(hu, -1000) / 1000)], np.float32)
    table["lung"] *= np.float32(rng.uniform(0.9, 1.8))
    return table


def _expose(rng: np.random.Generator, path: Floats, view: str) -> Floats:
    """Turn path integrals into a displayed film: dense is bright."""
    scatter = gaussian_filter(path, path.shape[0] / 10)
    film = path + np.float32(rng.uniform(-0.25, 0.05)) * scatter
    film = film * (1 + np.float32(rng.uniform(0, 0.06)) * smooth_map(rng, path.shape, 2))
    sharp = rng.uniform(0.0, 0.6) * path.shape[0] / 64
    if sharp > 0.25:
        film = gaussian_filter(film, sharp)
    # Fewer quanta arrive behind dense parts.
    noise = rng.standard_normal(path.shape, np.float32) * np.float32(rng.uniform(0.002, 0.02))
    film = film + noise * np.exp(np.clip(path, 0, 6) / 4)
    low, high = float(rng.uniform(0.5, 6)), float(rng.uniform(96.5, 99.8))
    image = (percentile_to_model(film, low, high) + 1) / 2
    image = image ** np.float32(rng.uniform(0.7, 1.5))
    bend = np.float32(rng.uniform(0, 0.5))  # the S-shaped curve of film and display
    image = (1 - bend) * image + bend * (image * image * (3 - 2 * image))
    return np.clip(image * 2 - 1, -1, 1).astype(np.float32)


def _projected_labels(canvas: Canvas, step: float) -> NDArray[np.uint8]:
    """Outline what a reader would outline on the film."""

    def thickness(name: str) -> Floats:
        return (canvas.labels == LABEL[name]).sum(axis=1).astype(np.float32) * np.float32(step)

    mask = np.zeros(canvas.labels[:, 0].shape, np.uint8)
    mask[(canvas.labels > 0).any(axis=1)] = LABEL["body"]
    lung = thickness("lung") + thickness("lesion")
    bone = thickness("bone")
    mask[bone > 22] = LABEL["bone"]
    mask[lung > 30] = LABEL["lung"]
    mask[thickness("heart") > 34] = LABEL["heart"]
    mask[(thickness("lesion") > 8) & (lung > 12)] = LABEL["lesion"]
    return mask
