"""The wall of the thorax: skin, fat, muscle, breasts, ribs, shoulders."""

from __future__ import annotations

import numpy as np

from .build import Build
from .combine import grown, intersection, outside, shell, union
from .points import Floats, Points, Solid
from .scene import Layer, of
from .solids import ball, ellipsoid, half_space, rotation, segment, strands


def torso(build: Build) -> Solid:
    """Outline of the trunk, shoulders and neck."""
    fat = build.fat
    trunk = ellipsoid(
        (0, 4, -90 * build.tall),
        (152 * build.broad + fat, 104 * build.deep + fat, 460),
        square=0.4,
    )
    # Shoulders fall from the neck to the sides.
    roof = [half_space((s * 0.42, 0, 1), 138 * build.tall) for s in (-1, 1)]
    trunk = intersection(trunk, *roof)
    pads = [
        ellipsoid(build.at(s * 118, 16, 98), build.radii(66, 58, 50), rotation(roll=s * 0.35))
        for s in (-1, 1)
    ]
    slopes = [
        segment(build.at(s * 20, 26, 150), build.at(s * 112, 26, 100), 36, 38) for s in (-1, 1)
    ]
    neck = segment(build.at(0, 18, 60), build.at(0, 2, 280), 60 * build.size, 56 * build.size)
    return union(trunk, *pads, *slopes, neck, blend=24).kept()


def wall_layers(build: Build, skin: Solid) -> list[Layer]:
    """Fat, muscle and, on films only, the arms beside the trunk."""
    rng = build.rng
    spread = rng.uniform(-6, 46)  # how far the arms stand off
    thick = rng.uniform(34, 46) * build.size
    arms = [
        segment(
            build.at(s * 158, 14, 104),
            build.at(s * (192 + spread), 8, -230),
            thick,
            thick,
        )
        for s in (-1, 1)
    ]
    muscle = [grown(arm, -0.5 * build.fat - 3) for arm in arms]
    return [
        Layer("fat", tuple(arms), slices=False),
        Layer("muscle", tuple(muscle), slices=False),
        of("fat", skin),
        of("muscle", grown(skin, -build.fat)),
    ]


def breasts(build: Build) -> list[Layer]:
    """Fat and gland of both breasts."""
    if build.sex == "male" or build.years < 14:
        return []
    rng = build.rng
    volume = rng.uniform(0.65, 1.3)
    layers = []
    for side in (-1, 1):
        front = -(82 * build.deep + build.fat)
        centre = (side * 76 * build.broad, front, (4 - 20 * volume) * build.tall)
        outer = ellipsoid(centre, (58 * volume, 38 * volume, 52 * volume))
        inner = ellipsoid(centre, (34 * volume, 26 * volume, 30 * volume))
        layers += [of("fat", outer), of("soft", inner, alpha=rng.uniform(0.1, 0.9))]
    return layers


def rib_layers(build: Build, cage: Solid) -> list[Layer]:
    """Ribs as tilted rings on the cage, their cartilage, and the sternum."""
    rng, tall = build.rng, build.tall
    slope = np.float32(rng.uniform(0.40, 0.66))
    period = np.float32(rng.uniform(22.5, 26.5) * tall)
    half = np.float32(rng.uniform(5.4, 7.0))
    phase = np.float32(rng.uniform(0, 1))
    thick = rng.uniform(6.0, 8.0)

    def rings(points: Points) -> Floats:
        """High at the spine, low in front, falling towards the side."""
        level = points.x * points.x
        level *= np.float32(0.0013)
        level -= slope * points.y
        level += points.z
        level /= period
        level += phase
        level %= 1
        level -= np.float32(0.5)
        np.abs(level, out=level)
        level *= period
        level -= half
        return level

    wall = shell(cage, thick, offset=-4).kept()
    rings_solid = Solid(rings, shared=True)
    # In front the bone gives way to cartilage; below the costal margin there is none.
    gristle = Solid(
        lambda points: np.maximum(points.y + np.float32(36), np.abs(points.x) - np.float32(72))
    )
    margin = half_space((0, -0.75, -1), 135 * tall)
    ribs = intersection(wall, rings_solid, outside(gristle), margin).kept()
    sternum = intersection(
        shell(cage, 11, offset=-2),
        half_space((0, 1, 0), -30),
        ellipsoid(build.at(0, -80, 26), build.radii(17, 60, 84), square=0.8),
    )
    return [
        of("muscle", shell(cage, 14, offset=-3)),
        of("rib", ribs),
        of("marrow", grown(ribs, -2.0)),
        of("cartilage", intersection(wall, rings_solid, gristle, margin)),
        of("rib", sternum),
        of("marrow", grown(sternum, -2.5)),
    ]


def shoulder_layers(build: Build) -> list[Layer]:
    """Shoulder blades, collar bones, and upper arms (on films only)."""
    rng = build.rng
    rise = rng.normal(6, 9)
    turn = rng.uniform(0, 1)  # shoulders rolled forward take the blades off the lungs
    layers: list[Layer] = []
    for side in (-1, 1):
        joint = build.at(side * 150, 14, 100)
        blade = ellipsoid(
            build.at(side * (104 + 22 * turn), 92 - 14 * turn, 46),
            build.radii(38, 5.5, 66),
            rotation(yaw=-side * (0.25 + 0.5 * turn), roll=-side * 0.25),
            square=0.3,
        )
        path = build.path(
            (side * 20, -56, 104),
            (side * 68, -44, 112 + rise),
            (side * 138, 4, 116 + rise),
        )
        collar = strands(path, [7.5, 5.5, 6.5])
        arm = segment(joint, build.at(side * 196, 8, -230), 14, 11)
        layers += [
            of("marrow", blade),
            of("rib", *collar),
            of("marrow", *(grown(part, -2.4) for part in collar)),
            of("rib", ball(joint, 23 * build.size)),
            of("marrow", ball(joint, 20 * build.size)),
            Layer("cortical bone", (arm,), slices=False),
            Layer("marrow", (grown(arm, -5),), slices=False),
        ]
    return layers
