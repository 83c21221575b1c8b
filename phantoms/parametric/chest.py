"""Thoraces: body outline, rib cage, lungs, heart, great vessels and spine."""

from __future__ import annotations

import numpy as np

from .chest_findings import chest_findings
from .lung_vessels import grow_vessels
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
    shell,
    tube,
    union,
)
from .textures import NoiseField, Warp


def chest_scene(rng: np.random.Generator, finding: str, sex: str, years: float) -> Scene:
    """Draw a thorax.

    Args:
        rng: Source of randomness.
        finding: "no finding", "pneumonia", "COVID-19" or "other finding".
        sex: "female" or "male".
        years: Age; the aorta widens and the back bends with it.
    """
    size = (0.93 if sex == "female" else 1.0) * rng.normal(1, 0.04)
    broad, deep, tall = rng.normal(1, (0.05, 0.07, 0.06)) * size
    fat = max(rng.normal(20 if sex == "female" else 16, 8), 5)
    ribs = ellipsoid((0, 0, -35 * tall), (138 * broad, 92 * deep, 172 * tall), square=0.3).kept()
    top, bottom = 175 * tall, -200 * tall

    other = str(rng.choice(("effusion", "nodule", "heart"))) if finding == "other finding" else ""
    heart_size = rng.normal(1.0, 0.07) * (rng.uniform(1.28, 1.5) if other == "heart" else 1.0)

    torso = _torso(broad, deep, tall, fat, size)
    back = 62 * deep
    bend = rng.uniform(0.0006, 0.0012) * (1 + np.clip((years - 50) / 60, 0, 1))
    spine = _spine_path(back, bend, tall)
    column = tube(spine, 17 * size, flat=(0.95, 1.15, 1)).kept()

    domes = rng.normal(-78, 12) * tall
    lungs = _lungs(rng, ribs, column, (broad, deep, tall), domes, heart_size)
    heart, chambers = _heart(rng, broad, deep, tall, domes, heart_size)
    calibre = size * (1 + 0.004 * max(years - 40, 0))
    great = _great_vessels(rng, broad, deep, tall, calibre, spine)

    layers = [
        Layer("fat", torso),
        *_breasts(rng, sex, broad, deep, tall, fat),
        Layer("muscle", grown(torso, -fat)),
        *_shoulders(rng, broad, deep, tall),
        *_rib_layers(rng, ribs, tall),
        Layer("soft", intersection(grown(ribs, -6.0), half_space((0, 0, 1), top))),
        *_belly(rng, ribs, broad, deep, tall, domes),
        Layer("cortical bone", column),
        Layer("spongy bone", grown(column, -2.0)),
        Layer("disc", intersection(column, _discs(21 * tall))),
        *_posterior(spine, size),
        Layer("fat", _mediastinum(broad, deep, tall)),
        Layer("soft", grown(heart, 4)),
        Layer("lung", lungs),
    ]
    vessels, thick = grow_vessels(rng, broad, deep, tall)
    layers += [Layer("lung vessel", intersection(tube_, lungs)) for tube_ in thick]
    layers += [Layer("heart muscle", heart), *(Layer("blood", c) for c in chambers)]
    layers += [Layer("blood", vessel) for vessel in great]
    layers += _airways(broad, deep, tall, size)
    layers += chest_findings(rng, finding, other, lungs, ribs, (broad, deep, tall), domes)
    return Scene(
        body_part="chest",
        layers=tuple(layers),
        warp=Warp.draw(rng, rng.uniform(1.0, 4.0), 190),
        turn=rotation(*rng.normal(0, (0.04, 0.03, 0.03))),
        low=np.array([-(150 * broad + fat + 8), -(104 * deep + fat), bottom], np.float32),
        high=np.array([150 * broad + fat + 8, 112 * deep + fat, top], np.float32),
        grain=NoiseField.draw(rng, 11),
        mottle=NoiseField.draw(rng, 34),
        finding=finding,
        diffuse=other == "heart",
        sex=sex,
        years=years,
        vessels=tuple(vessels),
        lung=lungs,
    )


def _torso(broad: float, deep: float, tall: float, fat: float, size: float) -> Solid:
    trunk = ellipsoid((0, 4, -60), (150 * broad + fat, 106 * deep + fat, 420), square=0.55)
    trunk = intersection(trunk, half_space((0, 0, 1), 118 * tall))
    shoulders = [ellipsoid((s * 128 * broad, 14, 112 * tall), (68, 60, 52)) for s in (-1, 1)]
    arms = [
        tube([(s * 172 * broad, 14, 118 * tall), (s * 222 * broad, 10, -210)], 44) for s in (-1, 1)
    ]
    neck = tube([(0, 20, 80), (0, 0, 260)], 58 * size)
    return union(union(trunk, *shoulders, neck, blend=26), *arms, blend=6).kept()


def _spine_path(back: float, bend: float, tall: float) -> list[tuple[float, float, float]]:
    return [(0.0, back - bend * (z - 20) ** 2, float(z) * tall) for z in range(-230, 261, 70)]


def _discs(period: float) -> Solid:
    def measure(points: Points) -> Floats:
        phase = (points.z / np.float32(period)) % 1 - np.float32(0.5)
        return np.abs(phase) * np.float32(period) - np.float32(2.6)

    return Solid(measure)


def _posterior(spine: list[tuple[float, float, float]], size: float) -> list[Layer]:
    def behind(offset: float) -> list[tuple[float, float, float]]:
        return [(x, y + offset, z) for x, y, z in spine]

    arch = intersection(tube(behind(24 * size), 15, flat=(0.75, 1, 1)), outside(_discs(21)))
    return [
        Layer("spongy bone", arch),
        Layer(
            "spongy bone",
            intersection(tube(behind(40 * size), 8, flat=(2.2, 0.6, 1)), outside(_discs(21))),
        ),
        Layer("csf", tube(behind(24 * size), 9)),
        Layer("white matter", tube(behind(24 * size), 5)),
    ]


def _lungs(
    rng: np.random.Generator,
    ribs: Solid,
    column: Solid,
    stretch: tuple[float, float, float],
    domes: float,
    heart_size: float,
) -> Solid:
    broad, deep, tall = stretch
    tilt = rng.normal(0, 3)
    lower_left = rng.uniform(5, 16)
    steep = rng.uniform(0.8, 1.2)
    middle = _mediastinum(broad, deep, tall)

    def floor(points: Points) -> Floats:
        """Height below the diaphragm: one dome on each side."""
        right = points.x < 0
        centre_x = np.where(right, np.float32(-62 * broad), np.float32(66 * broad))
        level = np.where(right, np.float32(domes + tilt), np.float32(domes - lower_left - tilt))
        sideways = (points.x - centre_x) / np.float32(72 * broad)
        front = (points.y + np.float32(14)) / np.float32(84 * deep)
        level -= np.float32(36 * steep) * sideways**2 + np.float32(58 * steep) * front**2
        return (level - points.z) * np.float32(0.7)

    diaphragm = Solid(floor, shared=True)
    return intersection(
        grown(ribs, -8.0), diaphragm, outside(middle), outside(grown(column, 4.0))
    ).kept()


def _mediastinum(broad: float, deep: float, tall: float) -> Solid:
    return union(
        ellipsoid((2, -12, 60 * tall), (30 * broad, 66 * deep, 84 * tall), square=0.3),
        ellipsoid((6, 0, -80 * tall), (34 * broad, 80 * deep, 110 * tall), square=0.3),
        blend=14,
    )


def _heart(
    rng: np.random.Generator, broad: float, deep: float, tall: float, domes: float, size: float
) -> tuple[Solid, list[Solid]]:
    lying = rng.normal(0.62, 0.1)
    centre = np.array([20 * broad * size, -26 * deep, domes + 34 * size + 8])
    turn = rotation(yaw=-0.45) @ rotation(roll=lying)
    radii = np.array([62 * broad, 47 * deep, 46 * tall]) * size
    body = ellipsoid(centre, radii, turn)
    atria = ellipsoid(centre + (-28 * size, 12, 14), np.array([34, 36, 42]) * size)
    heart = intersection(union(body, atria, blend=12), half_space((0, -1, 0), 80 * deep)).kept()
    left = ellipsoid(centre + turn @ (16, 12, 4), radii * (0.55, 0.42, 0.42), turn)
    right = ellipsoid(centre + turn @ (-2, -22, -6), radii * (0.7, 0.4, 0.6), turn)
    atrium = ellipsoid(centre + (4, 38, 22), np.array([30, 17, 20]) * size)
    right_atrium = ellipsoid(centre + (-38 * size, 6, 12), np.array([20, 26, 30]) * size)
    return heart, [left, right, atrium, right_atrium]


def _great_vessels(
    rng: np.random.Generator,
    broad: float,
    deep: float,
    tall: float,
    calibre: float,
    spine: list[tuple[float, float, float]],
) -> list[Solid]:
    knob = rng.uniform(22, 32)
    back = 52 * deep
    aorta = tube(
        [
            (2, -20, -6),
            (-16, -26, 30 * tall),
            (-8, -14, 66 * tall),
            (10, 8, 78 * tall),
            (knob - 2, 34, 66 * tall),
            (knob, back - 6, 36 * tall),
            (20, back, -40 * tall),
            (9, back - 8, -230 * tall),
        ],
        np.array([15, 16, 14, 13, 12.5, 12, 11, 10]) * calibre,
    )
    return [
        aorta,
        tube([(14, -36, 0), (20, -22, 28), (24, 0, 40 * tall)], [13, 13, 11]),
        tube([(22, -6, 38 * tall), (-6, 4, 32), (-42 * broad, 14, 24)], [11, 10, 7]),
        tube([(24, 0, 40 * tall), (44 * broad, 22, 34)], [11, 8]),
        tube([(-30 * broad, -14, 0), (-26, -16, 80 * tall), (-40, -14, 104 * tall)], [10, 8.5, 7]),
        tube([(-22, 10, -20), (-20, 6, -220)], 11),
        tube([(-26, -14, 92 * tall), (30, -22, 106 * tall)], 6),
        *(tube([(s * 8, 2, 80 * tall), (s * 24, 8, 190)], 4.5) for s in (-1, 1)),
        tube([(-20 * broad, 26, -8), (-52 * broad, 26, -2)], [8, 5]),
        tube([(22 * broad, 28, -8), (58 * broad, 30, -4)], [8, 5]),
    ]


def _airways(broad: float, deep: float, tall: float, size: float) -> list[Layer]:
    split = (2, 26, 50 * tall)
    air = [
        tube([(0, 8, 230), (0, 16, 110 * tall), split], 8 * size, flat=(1, 1.15, 1)),
        tube([split, (-24 * broad, 30, 30 * tall), (-42 * broad, 30, 10)], [7.5, 6.5, 4.5]),
        tube([split, (30 * broad, 32, 30 * tall), (50 * broad, 36, 10)], [7, 5.5, 4]),
    ]
    return [Layer("soft", tube([(6, 42, 220), (6, 42, -120 * tall)], 7))] + [
        Layer("inner air", part) for part in air
    ]


def _rib_layers(rng: np.random.Generator, cage: Solid, tall: float) -> list[Layer]:
    slope = np.float32(rng.uniform(0.38, 0.62))
    period = np.float32(rng.uniform(23, 27) * tall)
    half = np.float32(rng.uniform(5.6, 7.2))
    phase = np.float32(rng.uniform(0, 1))
    thick = np.float32(rng.uniform(3.0, 4.2))

    def rings(points: Points) -> Floats:
        """Tilted rings: high at the spine, low in front, rising again to the sternum."""
        level = points.z + slope * (-points.y) - np.float32(0.0012) * points.x**2
        turn = (level / period + phase) % 1 - np.float32(0.5)
        return np.abs(turn) * period - half

    band = Solid(rings, shared=True)
    wall = Solid(lambda points: np.abs(points.distance(cage) + 4) - thick, shared=True)
    ribs = intersection(wall, band)
    # In front the bone gives way to cartilage, below the costal margin there is none.
    gristle = Solid(
        lambda points: np.maximum(points.y + np.float32(34), np.abs(points.x) - np.float32(74)),
    )
    margin = half_space((0, -0.75, -1), 150 * tall)
    sternum = intersection(
        Solid(lambda points: np.abs(points.distance(cage) + 2) - np.float32(5.5)),
        half_space((0, 1, 0), -30),
        ellipsoid((0, -80, 30 * tall), (17, 60, 82 * tall), square=0.8),
    )
    return [
        Layer("muscle", Solid(lambda points: np.abs(points.distance(cage) + 3) - np.float32(8))),
        Layer("cortical bone", intersection(ribs, outside(gristle), margin)),
        Layer("marrow", intersection(grown(ribs, -1.6), outside(gristle), margin)),
        Layer("cartilage", intersection(ribs, gristle, margin)),
        Layer("cortical bone", sternum),
        Layer("marrow", grown(sternum, -2.5)),
    ]


def _shoulders(rng: np.random.Generator, broad: float, deep: float, tall: float) -> list[Layer]:
    rise = rng.normal(8, 8)
    layers: list[Layer] = []
    for side in (-1, 1):
        joint = (side * 160 * broad, 14, 108 * tall)
        blade = ellipsoid(
            (side * 118 * broad, 82 * deep, 62 * tall),
            (40, 6, 66),
            rotation(yaw=-side * 0.5, roll=-side * 0.2),
            square=0.3,
        )
        collar = tube(
            [
                (side * 20, -62 * deep, 112 * tall),
                (side * 70, -52 * deep, (118 * tall) + rise),
                (side * 145 * broad, 4, 124 * tall + rise),
            ],
            [7.5, 5.5, 6.5],
        )
        arm = tube([joint, (side * 215 * broad, 10, -210)], [13, 11])
        layers += [
            Layer("marrow", blade),
            Layer("cortical bone", collar),
            Layer("marrow", grown(collar, -2.4)),
            Layer("cortical bone", ball(joint, 24)),
            Layer("marrow", ball(joint, 21)),
            Layer("cortical bone", arm),
            Layer("marrow", grown(arm, -4.5)),
        ]
    return layers


def _breasts(
    rng: np.random.Generator, sex: str, broad: float, deep: float, tall: float, fat: float
) -> list[Layer]:
    if sex == "male":
        return []
    volume = rng.uniform(0.7, 1.3)
    layers = []
    for side in (-1, 1):
        centre = (side * 76 * broad, -(88 * deep + fat), (2 - 16 * volume) * tall)
        layers += [
            Layer("fat", ellipsoid(centre, (58 * volume, 34 * volume, 54 * volume))),
            Layer(
                "soft",
                ellipsoid(centre, (34 * volume, 22 * volume, 32 * volume)),
                alpha=rng.uniform(0.2, 0.9),
            ),
        ]
    return layers


def _belly(
    rng: np.random.Generator, ribs: Solid, broad: float, deep: float, tall: float, domes: float
) -> list[Layer]:
    inside = grown(ribs, -8.0)
    liver = intersection(
        union(
            ellipsoid((-62 * broad, 0, domes - 66), (80 * broad, 82 * deep, 82)),
            ellipsoid((20, -34 * deep, domes - 40), (60, 40, 36)),
            blend=16,
        ),
        inside,
    )
    stomach = ellipsoid((62 * broad, 10, domes - 62), (44, 48, 50))
    bubble = intersection(
        ellipsoid((62 * broad, 6, domes - 44), (34, 36, 26)), half_space((0, 0, -1), -(domes - 56))
    )
    layers = [
        Layer("fat", intersection(inside, half_space((0, 0, 1), domes - 12))),
        Layer("liver", liver),
        Layer("bowel", stomach),
        Layer(
            "spleen",
            intersection(ellipsoid((104 * broad, 46 * deep, domes - 66), (26, 36, 52)), inside),
        ),
    ]
    if rng.random() < 0.7:
        layers.append(Layer("inner air", bubble))
    return layers


__all__ = ["chest_scene", "shell"]
