"""Heads: scalp, skull, brain with folds, ventricles, face, and lesions."""

from __future__ import annotations

import numpy as np

from .points import Floats, Points
from .scene import Layer, Scene
from .solids import (
    Solid,
    ball,
    ellipsoid,
    grown,
    half_space,
    intersection,
    outside,
    rotation,
    roughened,
    shell,
    tube,
    union,
)
from .textures import NoiseField, Warp


def _both(build, *args):  # type: ignore[no-untyped-def]
    """Build a solid on the right and on the left."""
    return build(-1, *args), build(1, *args)


def head_scene(rng: np.random.Generator, finding: str, sex: str, years: float) -> Scene:
    """Draw a head.

    Args:
        rng: Source of randomness.
        finding: "no finding" or "lesion".
        sex: "female" or "male".
        years: Age; ventricles and furrows widen with it.
    """
    size = (0.96 if sex == "female" else 1.0) * rng.normal(1, 0.025)
    size *= 0.9 if years < 8 else 1.0
    atrophy = np.clip((years - 35) / 50, 0, 1.2) * rng.uniform(0.5, 1.3)
    broad, long, tall = rng.normal(1, 0.035, 3) * size

    inner = (69 * broad, 87 * long, 74 * tall)  # the skull's inside
    skull_centre = (0, 0, 2)
    cavity = ellipsoid(skull_centre, inner, square=0.12).kept()
    bone_mm, scalp_mm = rng.uniform(5.0, 8.5), rng.uniform(4.0, 8.0)
    cranium = grown(cavity, bone_mm)

    jaw = -88 * tall
    face = ellipsoid((0, -50 * long, -52), (56 * broad, 50 * long, 58), square=0.3)
    chin = ellipsoid((0, -68 * long, jaw - 6), (26, 20, 20))
    neck = tube([(0, 22, -40), (0, 30, -190)], [56 * broad, 58 * broad], flat=(1, 0.9, 1))
    nose = tube([(0, -93 * long, -14), (0, -112 * long, -40)], [8, 13])
    skin = union(
        union(grown(cavity, bone_mm + scalp_mm), face, blend=12),
        union(chin, neck, nose, blend=10), blend=10,
    ).kept()  # fmt: skip

    folds = NoiseField.draw(rng, rng.uniform(26, 32) * size)
    leaves = NoiseField.draw(rng, 9.0)
    sulcus = 0.7 + 1.3 * atrophy
    gap = 1.5 + 2.0 * atrophy  # between brain and skull
    cerebrum_box = ellipsoid((0, 0, 8), (inner[0] - gap, inner[1] - gap, inner[2] - 6 - gap))
    tent = half_space((0, -0.45, -1), 22)  # above the tentorium
    cerebrum = union(
        intersection(cerebrum_box, half_space((0, 0.25, -1), 14 * tall)),
        *(
            ellipsoid(
                (s * 38 * broad, -18 * long, -22),
                (25 * broad, 40 * long, 24),
                rotation(yaw=s * 0.2),
            )
            for s in (-1, 1)
        ),
        blend=6,
    )
    cerebrum = intersection(cerebrum, grown(cavity, -gap), tent).kept()
    furrow_scale = np.float32(5.2 * size)
    depth_limit = np.float32(rng.uniform(14, 19))
    thickness = np.float32(rng.uniform(2.6, 3.4) - 0.4 * atrophy)

    def pial(points: Points) -> Floats:
        """Depth below the folded surface of the cerebrum, negative outside it."""
        depth = -points.distance(cerebrum)
        beyond = np.maximum(depth - depth_limit, 0)
        wall = np.abs(folds(points)) * furrow_scale + 1.3 * beyond
        midline = (
            np.abs(points.x) - 0.4 + np.maximum(26 - points.z, 0) * 0.6 * (np.abs(points.y) < 45)
        )
        return np.minimum(np.minimum(depth, wall - np.float32(sulcus)), midline)

    folded = Solid(lambda points: -pial(points), shared=True)
    white = grown(folded, -float(thickness))

    cerebellum = intersection(
        roughened(ellipsoid((0, 48 * long, -42 * tall), (50 * broad, 33 * long, 27)), leaves, 1.0),
        grown(cavity, -2.0),
    ).kept()
    cerebellum_white = union(
        *(ellipsoid((s * 20, 42 * long, -40), (16, 12, 9)) for s in (-1, 1)),
        intersection(cerebellum, roughened(grown(cerebellum, -4.0), leaves, 5.0)),
    )
    stem = tube([(0, 10, -8), (0, 8, -30), (0, 18, -58), (0, 26, -130)], [15, 15, 10, 6])
    canal = tube([(0, 20, -62), (0, 27, -190)], [13, 11])

    wide = 0.8 + 1.3 * atrophy + rng.uniform(-0.1, 0.4)
    lateral = [_lateral_ventricle(s, wide * rng.normal(1, 0.08), long) for s in (-1, 1)]
    third = ellipsoid((0, 4, 6), (1.5 + 1.8 * wide, 14, 9))
    fourth = ellipsoid((0, 27, -34), (7, 4.5, 9))
    cisterns = union(
        ellipsoid((0, -14, -20), (14, 11, 6)), ellipsoid((0, 26, -10), (13, 4, 6)), blend=3
    )
    deep = [
        part
        for s in (-1, 1)
        for part in (
            ellipsoid((s * (9 + 2 * wide), 10, 8), (7, 14, 9), rotation(yaw=-s * 0.4)),
            ellipsoid((s * 25, -8, 6), (6, 18, 11), rotation(yaw=s * 0.25)),
            tube([(s * (11 + 3 * wide), -24, 14), (s * (15 + 3 * wide), 0, 24)], [6, 3]),
        )
    ]

    layers = [
        Layer("fat", skin),
        Layer("muscle", intersection(grown(skin, -scalp_mm), half_space((0, 0, 1), 8 * tall))),
        *_face(rng, broad, long),
        Layer("cortical bone", cranium),
        Layer("marrow", shell(grown(cavity, bone_mm / 2), bone_mm * 0.35)),
        *_neck(rng),
        Layer("csf", cavity),
        *_skull_base(rng, long),
        Layer("csf", canal),
        Layer("grey matter", folded),
        Layer("white matter", white),
        Layer("grey matter", cerebellum),
        Layer("white matter", cerebellum_white),
        Layer("white matter", stem),
        *(Layer("deep grey", part) for part in deep),
        Layer("csf", cisterns),
        *(Layer("csf", part) for part in (*lateral, third, fourth)),
    ]
    if finding == "lesion":
        layers += _lesions(rng, cerebrum, (broad, long, tall))
    return Scene(
        body_part="head",
        layers=tuple(layers),
        warp=Warp.draw(rng, rng.uniform(0.8, 2.2), 130),
        turn=rotation(*(rng.normal(0, (0.06, 0.07, 0.05)))),
        low=np.array([-82 * broad, -104 * long, -100], np.float32),
        high=np.array([82 * broad, 102 * long, 2 + inner[2] + bone_mm + scalp_mm], np.float32),
        grain=NoiseField.draw(rng, 7),
        mottle=NoiseField.draw(rng, 22),
        finding=finding,
        sex=sex,
        years=years,
    )


def _lateral_ventricle(side: int, wide: float, long: float) -> Solid:
    """Front horn, body, trigone, hind horn and lower horn of one side."""
    body = tube(
        [
            (side * (8 + 4 * wide), -36 * long, 12),
            (side * (8 + 3 * wide), -14 * long, 22),
            (side * (11 + 3 * wide), 14 * long, 26),
            (side * (22 + 3 * wide), 38 * long, 14),
            (side * (22 + 2 * wide), 58 * long, 10),
        ],
        [2.2 * wide + 1, 3.4 * wide, 3.4 * wide, 4.4 * wide, 1.2 * wide],
    )
    lower = tube(
        [(side * 27, 34 * long, 8), (side * 32, 10, -14), (side * 28, -8, -18)],
        [3.2 * wide, 1.8 * wide, 1.4 * wide],
    )
    return union(body, lower, blend=3)


def _face(rng: np.random.Generator, broad: float, long: float) -> list[Layer]:
    eye_x, eye_y, eye_z = 32 * broad, -74 * long, -22.0
    layers = [
        Layer("marrow", ellipsoid((0, -62 * long, -50), (44 * broad, 24, 26), square=0.3)),
        Layer("soft", ellipsoid((0, -40, -72), (26, 36, 16))),
        Layer("mucosa", ellipsoid((0, -56 * long, -66), (20, 28, 11))),
        Layer(
            "cortical bone",
            intersection(
                shell(ellipsoid((0, -34 * long, -84), (42 * broad, 52 * long, 40)), 9),
                half_space((0, 1, 0), -8),
                half_space((0, 0, 1), -74),
                half_space((0, 0, -1), 104),
            ),
        ),
        Layer(
            "cortical bone",  # the teeth
            intersection(
                shell(ellipsoid((0, -44 * long, -74), (26 * broad, 36 * long, 60)), 8),
                half_space((0, 1, 0), -44),
                half_space((0, 0, 1), -64),
                half_space((0, 0, -1), 84),
            ),
        ),
    ]
    for side in (-1, 1):
        orbit = tube(
            [(side * eye_x, eye_y - 6, eye_z), (side * eye_x * 0.5, eye_y + 38, eye_z + 2)], [19, 5]
        )
        layers += [
            Layer("cortical bone", grown(orbit, 2.5)),
            Layer("fat", orbit),
            Layer(
                "muscle",
                tube(
                    [(side * eye_x, eye_y + 8, eye_z), (side * eye_x * 0.5, eye_y + 36, eye_z + 2)],
                    [4.5, 2],
                ),
            ),
            Layer("eye", ball((side * eye_x, eye_y - 6, eye_z), 12)),
            Layer("lens", ellipsoid((side * eye_x, eye_y - 14.5, eye_z), (4.5, 2, 4.5))),
            Layer(
                "inner air",
                ellipsoid((side * 26 * broad, -64 * long, -50), (12, 15, 15), square=0.4),
            ),
            Layer("inner air", ellipsoid((side * 7, -62 * long, -26), (5, 20, 10), square=0.5)),
            Layer("inner air", ellipsoid((side * 7, -66 * long, -50), (3.2, 26, 12), square=0.5)),
        ]
    layers.append(
        Layer(
            "inner air",
            tube([(0, -26, -54), (0, -10, -66), (0, -4, -120)], [9, 8, 8], flat=(0.7, 1.3, 1)),
        )
    )
    return layers


def _skull_base(rng: np.random.Generator, long: float) -> list[Layer]:
    floor = intersection(
        union(
            ellipsoid((0, -24 * long, -40), (30, 30, 12)),
            *(ellipsoid((s * 46, 14, -38), (26, 11, 13), rotation(yaw=s * 0.6)) for s in (-1, 1)),
            tube([(0, -4, -28), (0, 8, -56)], [10, 9]),
            blend=5,
        ),
        half_space((0, 0, 1), -18),
    )
    layers = [
        Layer("cortical bone", floor),
        Layer("marrow", grown(floor, -4)),
        Layer("inner air", ellipsoid((0, -30 * long, -34), (12, 11, 8))),
    ]
    cells = NoiseField.draw(rng, 9.0)
    for side in (-1, 1):
        layers += [
            Layer("inner air", roughened(ellipsoid((side * 58, 24, -42), (9, 13, 14)), cells, 4.0)),
            Layer("inner air", tube([(side * 80, 6, -36), (side * 48, 8, -36)], 3.2)),
        ]
    if rng.random() < 0.85:
        layers.append(
            Layer(
                "inner air",
                ellipsoid((rng.normal(0, 3), -88 * long, -2), (rng.uniform(9, 18), 4, 9)),
            )
        )
    return layers


def _neck(rng: np.random.Generator) -> list[Layer]:
    column = tube([(0, 14, -64), (0, 16, -190)], 14)

    def discs(points: Points) -> Floats:
        return np.float32(2.2) - np.abs((points.z / np.float32(17)) % 1 - np.float32(0.5)) * 17

    return [
        Layer("cortical bone", column),
        Layer("marrow", grown(column, -2.5)),
        Layer("disc", intersection(column, Solid(lambda points: -discs(points)))),
        Layer("cortical bone", tube([(0, 40, -70), (0, 58, -190)], 7)),
    ]


def _lesions(
    rng: np.random.Generator, cerebrum: Solid, stretch: tuple[float, float, float]
) -> list[Layer]:
    rough = NoiseField.draw(rng, 14)
    layers: list[Layer] = []
    for _ in range(1 + int(rng.random() < 0.3)):
        radius = rng.uniform(4, 12)
        centre = rng.uniform((-46, -62, -4), (46, 64, 54)) * stretch
        centre[0] = np.sign(centre[0]) * max(abs(centre[0]), 16)
        radii = radius * rng.uniform(0.75, 1.25, 3)
        turn = rotation(*rng.uniform(0, 3, 3))
        core = ellipsoid(centre, radii, turn)
        inside = grown(cerebrum, -1.0)
        if rng.random() < 0.6:
            swollen = roughened(
                ellipsoid(centre, radii + rng.uniform(3, 9), turn).hazy(6.0), rough, 2.0
            )
            layers.append(Layer("oedema", intersection(swollen, inside)))
        layers.append(
            Layer("brain lesion", intersection(roughened(core, rough, 0.15 * radius), inside))
        )
    return layers


__all__ = ["head_scene", "outside"]
