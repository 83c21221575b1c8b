"""Abdomens: liver, spleen, kidneys, bowel, spine, great vessels, and lesions of the liver."""

from __future__ import annotations

import numpy as np

from .scene import Layer, Scene
from .solids import ellipsoid, grown, half_space, intersection, outside, rotation, roughened, tube
from .textures import NoiseField, Warp


def abdomen_scene(rng: np.random.Generator, finding: str, sex: str, years: float) -> Scene:
    """Draw an abdomen.

    Args:
        rng: Source of randomness.
        finding: "no finding" or "lesion" (of the liver).
        sex: "female" or "male".
        years: Age; the aorta widens with it.
    """
    size = (0.94 if sex == "female" else 1.0) * rng.normal(1, 0.04)
    broad, deep, tall = rng.normal(1, (0.05, 0.08, 0.06)) * size
    fat = max(rng.normal(22, 9), 6)
    rough = NoiseField.draw(rng, 30)
    torso = ellipsoid((0, 0, 0), (138 * broad + fat, 92 * deep + fat, 520), square=0.35).kept()
    wall = grown(torso, -fat).kept()
    cavity = intersection(
        grown(torso, -fat - rng.uniform(9, 15)), half_space((0, 1, 0), 64 * deep)
    ).kept()
    period = 34 * tall

    liver = intersection(
        roughened(
            ellipsoid((-66 * broad, -8, 62), (74 * broad, 74 * deep, 88 * tall), rotation(roll=0.2)),
            rough, 2.5,
        ),
        grown(cavity, -2.0),
        outside(ellipsoid((-20, 40, -30), (60, 50, 66))),
    ).kept()  # fmt: skip
    left_lobe = intersection(
        ellipsoid((8, -46 * deep, 84), (66 * broad, 34 * deep, 44 * tall)), grown(cavity, -2.0)
    )
    layers = [
        Layer("fat", torso),
        Layer("muscle", wall),
        Layer("fat", cavity),
        *_back(rng, broad, deep, tall, size, period, years),
        *_bowel(rng, cavity, broad, deep),
        Layer("bowel", ellipsoid((44 * broad, -30 * deep, 84), (34, 36, 44))),
        Layer("pancreas", tube([(-22, -12, 18), (6, -18, 34), (52 * broad, 8, 52)], [12, 9, 8])),
        Layer("spleen", ellipsoid((100 * broad, 28 * deep, 86), (22, 38, 48), rotation(yaw=0.4))),
    ]
    if rng.random() < 0.7:
        layers.append(Layer("inner air", ellipsoid((44 * broad, -46 * deep, 96), (24, 16, 26))))
    for side in (-1, 1):
        place = (side * rng.normal(62, 4) * broad, 40 * deep, rng.normal(10, 10) + 8 * side)
        kidney = ellipsoid(place, (26, 28, 52 * tall), rotation(yaw=side * 0.5, roll=side * 0.2))
        pelvis = ellipsoid((place[0] - side * 9, place[1] - 4, place[2]), (13, 13, 26))
        layers += [Layer("kidney", kidney), Layer("kidney sinus", pelvis)]
    layers += [
        Layer("liver", liver),
        Layer("liver", left_lobe),
        Layer("bile", ellipsoid((-52 * broad, -42 * deep, 4), (13, 15, 24))),
        Layer("blood", tube([(-16, 2, 26), (-36, 4, 50), (-70, 0, 72)], [7, 6, 3])),
        Layer("blood", tube([(-18, 20, 110), (-56, 4, 104)], [6, 3])),
        Layer("blood", tube([(-18, 18, 110), (-40, -30, 100)], [5, 2])),
    ]
    if finding == "lesion":
        layers += _liver_lesions(rng, liver, broad, deep)
    return Scene(
        body_part="abdomen",
        layers=tuple(layers),
        warp=Warp.draw(rng, rng.uniform(1.5, 5.0), 170),
        turn=rotation(*rng.normal(0, (0.04, 0.03, 0.03))),
        low=np.array([-(138 * broad + fat), -(92 * deep + fat), -150 * tall], np.float32),
        high=np.array([138 * broad + fat, 92 * deep + fat, 150 * tall], np.float32),
        grain=NoiseField.draw(rng, 10),
        mottle=NoiseField.draw(rng, 30),
        finding=finding,
        sex=sex,
        years=years,
    )


def _back(
    rng: np.random.Generator,
    broad: float,
    deep: float,
    tall: float,
    size: float,
    period: float,
    years: float,
) -> list[Layer]:
    from .chest import _discs

    column = tube([(0, 44 * deep, -240), (0, 38 * deep, -40), (0, 50 * deep, 220)], 21 * size)
    discs = _discs(period)
    calibre = 1 + 0.004 * max(years - 40, 0)
    layers = [
        Layer("cortical bone", column),
        Layer("spongy bone", grown(column, -2.0)),
        Layer("disc", intersection(column, discs)),
        Layer(
            "spongy bone",
            intersection(
                tube([(0, 70 * deep, -240), (0, 66 * deep, -40), (0, 76 * deep, 220)], 16),
                outside(discs),
            ),
        ),
        Layer(
            "spongy bone",
            intersection(
                tube([(0, 90 * deep, -240), (0, 90 * deep, 220)], 11, flat=(2.4, 0.8, 1)),
                outside(discs),
            ),
        ),
        Layer("csf", tube([(0, 70 * deep, -240), (0, 66 * deep, -40), (0, 76 * deep, 220)], 9)),
    ]
    for side in (-1, 1):
        layers += [
            Layer("fat", tube([(side * 34, 82 * deep, -200), (side * 34, 82 * deep, 200)], 3)),
            Layer(
                "muscle", tube([(side * 26, 40 * deep, 60), (side * 52, 30 * deep, -190)], [10, 26])
            ),
        ]
        rib_y = 58 * deep
        for level in (60, 92, 124):
            rib = tube(
                [(side * 40, rib_y + 14, level + 14), (side * 104 * broad, rib_y - 6, level - 6), (side * 132 * broad, 0, level - 34)],
                [5, 5, 5], flat=(1, 1, 0.8),
            )  # fmt: skip
            layers += [Layer("cortical bone", rib), Layer("marrow", grown(rib, -2))]
        hip = ellipsoid(
            (side * 96 * broad, 38 * deep, -150),
            (14, 46, 56),
            rotation(yaw=-side * 0.6),
            square=0.3,
        )
        layers += [Layer("cortical bone", hip), Layer("marrow", grown(hip, -3))]
    layers += [
        Layer(
            "blood",
            tube(
                [(8, 8 * deep, 200), (6, 10 * deep, -110), (30, 10, -190)],
                [11 * calibre, 9 * calibre, 6],
            ),
        ),
        Layer(
            "blood",
            tube([(-18, 20 * deep, 200), (-16, 14 * deep, -110), (-34, 12, -190)], [12, 11, 7]),
        ),
    ]
    return layers


def _bowel(rng: np.random.Generator, cavity, broad: float, deep: float) -> list[Layer]:  # type: ignore[no-untyped-def]
    layers: list[Layer] = []

    def loop(path: list[tuple[float, float, float]], radius: float, gas: float) -> None:
        whole = intersection(tube(path, radius), grown(cavity, -3.0))
        layers.append(Layer("soft", whole))
        layers.append(Layer("bowel", grown(whole, -2.0)))
        if rng.random() < gas:
            top = [(x, y - radius * 0.3, z) for x, y, z in path]
            layers.append(
                Layer("inner air", intersection(tube(top, radius * 0.62), grown(cavity, -4.0)))
            )

    for _ in range(16):
        at = rng.uniform((-70, -70, -140), (80, 0, 10)) * (broad, deep, 1)
        path = [tuple(at + rng.normal(0, (22, 10, 14)) * i) for i in range(3)]
        loop(path, rng.uniform(9, 15), 0.25)
    side = 104 * broad
    loop([(-side, 10, -140), (-side, 0, -40), (-side * 0.9, -20, -14)], 20, 0.6)
    loop([(-side * 0.9, -34, -14), (0, -74 * deep, -10), (side * 0.85, -40, 26)], 17, 0.75)
    loop([(side, 10, 30), (side, 20, -60), (side * 0.9, 14, -150)], 15, 0.6)
    return layers


def _liver_lesions(rng: np.random.Generator, liver, broad: float, deep: float) -> list[Layer]:  # type: ignore[no-untyped-def]
    rough = NoiseField.draw(rng, 18)
    layers = []
    for _ in range(int(rng.choice((1, 2, 4), p=(0.6, 0.25, 0.15)))):
        centre = rng.uniform((-110, -45, 30), (-30, 35, 115)) * (broad, deep, 1)
        radius = rng.uniform(7, 22)
        body = roughened(ellipsoid(centre, radius * rng.uniform(0.8, 1.2, 3)), rough, 1.5)
        layers.append(Layer("liver lesion", intersection(body, grown(liver, -2.0))))
    return layers
