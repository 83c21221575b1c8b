"""The brain: folded cortex, white matter, deep nuclei, ventricles, cerebellum, stem."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .build import Build
from .combine import grown, intersection, roughened, union
from .points import Floats, Points, Solid
from .scene import Layer, of
from .solids import ellipsoid, rotation, segment, strands


def brain_layers(
    build: Build, cavity: Solid, inner: NDArray[np.float64]
) -> tuple[list[Layer], Solid]:
    """Draw a brain.

    Args:
        build: The patient.
        cavity: The skull's inside.
        inner: Its half axes in millimetres.

    Returns:
        The layers, and the cerebrum's hull, in which lesions lie.
    """
    rng = build.rng
    atrophy = float(np.clip((build.years - 35) / 50, 0, 1.2) * rng.uniform(0.5, 1.3))
    gap = 1.5 + 2.0 * atrophy  # between brain and skull
    hull = _hull(build, cavity, inner, gap)
    thickness = rng.uniform(2.6, 3.4) - 0.4 * atrophy
    cortex = _folded(build, hull, rng.uniform(0.25, 1.0) + 1.1 * atrophy)
    wide = 0.8 + 1.3 * atrophy + rng.uniform(-0.1, 0.4)
    ventricles = _ventricles(build, wide)
    callosum = strands(
        build.path((0, -34, 8), (0, -30, 20), (0, -6, 29), (0, 22, 27), (0, 36, 18)),
        [6, 5, 4, 4, 6],
        flat=(0.45, 1, 1),
    )
    layers = [
        of("grey matter", cortex),
        of("white matter", grown(cortex, -thickness)),
        of("white matter", *callosum),
        *_cerebellum(build, cavity),
        *_deep(build, wide),
        of("csf", *ventricles),
    ]
    return layers, hull


def _hull(build: Build, cavity: Solid, inner: NDArray[np.float64], gap: float) -> Solid:
    """The cerebrum without its furrows: hemispheres above, temporal lobes beside the base."""
    upper = ellipsoid((0, 0, 6), inner - np.array([gap, gap, 4 + gap]), square=0.1)
    temporal = [
        ellipsoid(
            build.at(s * 40, -14, -24),
            build.radii(24, 44, 24),
            rotation(yaw=s * 0.15, pitch=0.15),
        )
        for s in (-1, 1)
    ]
    back = np.float32(0.30)
    height = np.float32(-12 * build.tall)

    def base(points: Points) -> Floats:
        """Below the frontal lobes in front, below the tentorium behind."""
        behind = np.maximum(points.y - 6, 0)
        front = np.maximum(-points.y - 12, 0)
        level = height - back * behind * np.float32(0.6) - front
        level -= np.float32(0.16) * np.maximum(np.abs(points.x) - 12, 0) * (points.y > 0)
        return level - points.z

    def tentorium(points: Points) -> Floats:
        """What lies behind and low belongs to the cerebellum."""
        level = np.float32(-9) - np.float32(0.2) * points.y - np.float32(0.2) * np.abs(points.x)
        return np.minimum(level - points.z, points.y - np.float32(16))

    lobes = union(intersection(upper, Solid(base)), *temporal, blend=7)
    return intersection(lobes, grown(cavity, -gap), Solid(tentorium)).kept()


def _folded(build: Build, hull: Solid, furrow: float) -> Solid:
    """The cerebrum with furrows: sheets where a band-passed field is near zero.

    Where such a field is zero lie winding sheets about half a wavelength apart, much like
    the furrows of a cortex; they are opened near the surface and closed at depth.
    """
    rng = build.rng
    folds = build.noise.field(rng.uniform(25, 31) * build.size)
    scale = np.float32(5.2 * build.size)
    limit = np.float32(rng.uniform(5, 18))
    width = np.float32(furrow)
    lateral = build.tall

    def measure(points: Points) -> Floats:
        depth = -points.distance(hull)
        wall = np.abs(folds(points)) * scale
        wall += np.float32(1.3) * np.maximum(depth - limit, 0)
        # The cleft between the hemispheres, closed where the corpus callosum crosses.
        low = np.maximum(np.float32(30) - points.z, 0) * np.float32(0.6)
        midline = np.abs(points.x) + low * (np.abs(points.y) < 42) + np.float32(0.4)
        # The lateral fissure, above the temporal lobe.
        side = np.abs(points.z + np.float32(4 * lateral) - np.float32(0.22) * points.y)
        side += np.float32(1.2) * np.maximum(np.float32(36) - np.abs(points.x), 0)
        side += np.maximum(np.abs(points.y + np.float32(8)) - np.float32(34), 0)
        inside = np.minimum(np.minimum(wall, midline), side + np.float32(0.2)) - width
        return -np.minimum(inside, depth)

    return Solid(measure, hull.box, shared=True)


def _ventricles(build: Build, wide: float) -> list[Solid]:
    """Lateral ventricles, third and fourth ventricle, cisterns."""
    rng = build.rng
    solids: list[Solid] = []
    for s in (-1, 1):
        w = wide * rng.normal(1, 0.08)
        path = build.path(
            (s * (9 + 4 * w), -38, 10),
            (s * (8 + 3 * w), -16, 20),
            (s * (10 + 3 * w), 12, 25),
            (s * (21 + 3 * w), 36, 14),
            (s * (22 + 2 * w), 58, 9),
        )
        solids += strands(path, [2.0 * w + 1, 3.4 * w, 3.2 * w, 4.2 * w, 1.2 * w])
        lower = build.path((s * 26, 34, 8), (s * 32, 12, -14), (s * 29, -8, -20))
        solids += strands(lower, [3.2 * w, 1.6 * w, 1.2 * w])
    return [
        *solids,
        ellipsoid(build.at(0, 4, 6), (1.2 + 1.6 * wide, 14, 9)),
        ellipsoid(build.at(0, 27, -36), (7, 4, 9)),
        union(
            ellipsoid(build.at(0, -15, -20), (13, 10, 5)),
            ellipsoid(build.at(0, 27, -8), (12, 4, 5)),
            blend=2,
        ),
    ]


def _cerebellum(build: Build, cavity: Solid) -> list[Layer]:
    leaves = build.noise.field(8.5)
    mass = union(
        *(ellipsoid(build.at(s * 25, 46, -42), build.radii(27, 31, 23)) for s in (-1, 1)),
        ellipsoid(build.at(0, 44, -34), build.radii(16, 26, 22)),
        blend=4,
    )
    body = intersection(mass, grown(cavity, -2.0)).kept()
    core = [ellipsoid(build.at(s * 20, 40, -40), build.radii(15, 12, 8)) for s in (-1, 1)]
    stem = strands(
        build.path((0, 8, -4), (0, 6, -18), (0, 6, -32), (0, 17, -58), (0, 24, -130)),
        [13, 11, 14, 8.5, 5],
    )
    return [
        of("grey matter", roughened(body, leaves, 1.0)),
        of("white matter", roughened(grown(body, -4.5), leaves, 4.5), *core),
        of("csf", *strands(build.path((0, 18, -58), (0, 25, -190)), [12, 8.5])),
        of("white matter", *stem),
    ]


def _deep(build: Build, wide: float) -> list[Layer]:
    """Thalamus, putamen with pallidum, caudate nucleus of both sides."""
    solids: list[Solid] = []
    for s in (-1, 1):
        solids += [
            ellipsoid(build.at(s * (9 + 2 * wide), 10, 8), (7, 14, 9), rotation(yaw=-s * 0.4)),
            ellipsoid(build.at(s * 25, -8, 6), (6, 18, 11), rotation(yaw=s * 0.25)),
            segment(
                build.at(s * (11 + 3 * wide), -24, 14),
                build.at(s * (15 + 3 * wide), 0, 24),
                6,
                3,
            ),
        ]
    return [of("deep grey", *solids)]
