"""What the thorax holds: lungs, heart, great vessels, airways, and the belly's top."""

from __future__ import annotations

import numpy as np

from .build import Build
from .combine import grown, intersection, outside, union
from .points import Floats, Points, Solid
from .scene import Layer, of
from .solids import ellipsoid, half_space, rotation, strands
from .spine import Spine


def mediastinum(build: Build) -> Solid:
    """The space between the lungs: narrow above and in front."""
    return union(
        ellipsoid(build.at(2, 4, 62), build.radii(23, 62, 92), square=0.2),
        ellipsoid(build.at(5, 6, -80), build.radii(25, 70, 112), square=0.2),
        blend=14,
    )


def lungs(build: Build, ribs: Solid, spine: Spine, middle: Solid, domes: float) -> Solid:
    """Both lungs: the cage above the diaphragm, beside the mediastinum."""
    rng = build.rng
    tilt, lower_left = rng.normal(0, 3), rng.uniform(5, 16)
    steep = rng.uniform(0.75, 1.25)
    broad, deep = build.broad, build.deep
    drop_side, drop_front = np.float32(34 * steep), np.float32(52 * steep)

    def floor(points: Points) -> Floats:
        """Distance below the diaphragm: one dome on each side."""
        right = points.x < 0
        sideways = points.x + np.where(right, np.float32(58 * broad), np.float32(-64 * broad))
        sideways *= np.float32(1 / (74 * broad))
        sideways *= sideways
        sideways *= drop_side
        front = points.y + np.float32(14)
        front *= np.float32(1 / (84 * deep))
        front *= front
        front *= drop_front
        front += sideways
        front += points.z
        level = np.where(right, np.float32(domes + tilt), np.float32(domes - lower_left - tilt))
        return (level - front) * np.float32(0.72)

    diaphragm = Solid(floor)
    bodies = grown(spine.bodies, 5.0)
    return intersection(grown(ribs, -8.0), diaphragm, outside(middle), outside(bodies)).kept()


def heart(build: Build, domes: float, size: float) -> tuple[Solid, list[Solid]]:
    """The heart, and the blood in its four chambers."""
    rng = build.rng
    lie = rotation(yaw=-0.45) @ rotation(roll=rng.normal(0.6, 0.12))
    centre = build.at(19 * size, -26, 0) + np.array([0, 0, domes + 34 * size + 6])
    radii = build.radii(61, 46, 45) * size
    ventricles = ellipsoid(centre, radii, lie)
    atria = ellipsoid(centre + np.array([-27 * size, 12, 15]), np.array([33, 36, 42]) * size)
    body = intersection(
        union(ventricles, atria, blend=12), half_space((0, -1, 0), 78 * build.deep)
    ).kept()
    chambers = [
        ellipsoid(centre + lie @ np.array([16, 12, 4]), radii * (0.55, 0.42, 0.42), lie),
        ellipsoid(centre + lie @ np.array([-2, -22, -6]), radii * (0.7, 0.4, 0.6), lie),
        ellipsoid(centre + np.array([4, 38, 22]), np.array([30, 17, 20]) * size),
        ellipsoid(centre + np.array([-38 * size, 6, 12]), np.array([20, 26, 30]) * size),
    ]
    return body, chambers


def great_vessels(build: Build, spine: Spine) -> list[Layer]:
    """Aorta, pulmonary arteries and veins, caval veins, and the arch's branches."""
    calibre = build.size * (1 + 0.004 * max(build.years - 40, 0))
    knob = build.rng.uniform(20, 31)
    back = float(spine.back) / build.deep - 8
    size = build.size

    def tube(
        *nodes: tuple[float, float, float],
        radii: float | list[float],
        scale: float = size,
    ) -> Layer:
        return of("blood", *strands(build.path(*nodes), np.multiply(radii, scale).tolist()))

    return [
        tube(
            (2, -20, -6), (-16, -26, 28), (-8, -14, 60), (8, 8, 70), (knob - 2, 32, 60),
            (knob, back - 6, 34), (20, back, -40), (9, back - 6, -230),
            radii=[15, 16, 14, 13, 12.5, 12, 11, 10], scale=calibre,
        ),
        tube((14, -36, 0), (20, -22, 26), (24, 0, 36), radii=[13, 13, 11]),
        tube((22, -6, 34), (-6, 4, 28), (-42, 14, 20), radii=[11, 10, 7]),
        tube((24, 0, 36), (44, 22, 30), radii=[11, 8]),
        tube((-30, -14, 0), (-27, -16, 74), (-40, -14, 98), radii=[10, 8.5, 7]),
        tube((-22, 10, -20), (-20, 6, -220), radii=[11, 11]),
        tube((-26, -14, 86), (30, -22, 98), radii=[6, 6]),
        *(tube((s * 8, 2, 74), (s * 24, 8, 190), radii=[4.5, 4.5]) for s in (-1, 1)),
        *(tube((s * 20, 26, -8), (s * 55, 28, -3), radii=[8, 5]) for s in (-1, 1)),
    ]  # fmt: skip


def airways(build: Build) -> list[Layer]:
    """Gullet, windpipe and main bronchi."""
    split = (2, 26, 44)
    size = build.size
    pipe = strands(build.path((0, 8, 230), (0, 16, 104), split), 8 * size, flat=(1, 1.15, 1))
    right = strands(
        build.path(split, (-24, 30, 26), (-42, 30, 8)),
        np.multiply([7.5, 6.5, 4.5], size),
    )
    left = strands(build.path(split, (30, 32, 26), (50, 36, 6)), np.multiply([7, 5.5, 4], size))
    gullet = strands(build.path((6, 40, 220), (6, 40, -120)), 7 * size)
    return [of("soft", *gullet), of("inner air", *pipe, *right, *left)]


def upper_belly(build: Build, ribs: Solid, domes: float) -> list[Layer]:
    """Liver, stomach and spleen under the diaphragm."""
    rng = build.rng
    below = np.array([0, 0, domes])
    inside = grown(ribs, -8.0)
    liver = union(
        ellipsoid(build.at(-58, 0, -72) + below, build.radii(88, 88, 86)),
        ellipsoid(build.at(20, -34, -44) + below, build.radii(62, 42, 38)),
        blend=16,
    )
    stomach = ellipsoid(build.at(62, 8, -66) + below, build.radii(46, 52, 54))
    spleen = ellipsoid(build.at(104, 46, -72) + below, build.radii(28, 38, 54))
    gas = rng.uniform(0.3, 0.95)
    bubble = ellipsoid(
        build.at(rng.uniform(40, 76), -4, -50 + 6 * gas) + below,
        build.radii(34, 34, 22) * gas,
        square=0.2,
    )
    layers = [
        of("fat", intersection(inside, half_space((0, 0, 1), domes - 12))),
        of("liver", liver, within=inside),
        of("bowel", stomach, within=inside),
        of("spleen", spleen, within=inside),
    ]
    if rng.random() < 0.5:
        floor = outside(half_space((0, 0, 1), domes - 62))
        layers.append(of("inner air", intersection(bubble, floor), within=inside))
    for _ in range(rng.integers(0, 6)):
        loop = ellipsoid(
            build.at(*rng.uniform((-80, -70, -150), (90, -20, -95))) + below,
            build.radii(*rng.uniform((14, 10, 8), (34, 18, 16))),
        )
        layers.append(of("inner air", loop, within=inside))
    return layers
