"""Abdomens: liver, spleen, kidneys, bowel, spine, great vessels, and lesions of the liver."""

from __future__ import annotations

import numpy as np

from .bowel import bowel_layers
from .build import Build, draw_build
from .combine import grown, intersection, outside, roughened, shell, union
from .points import Floats, Points, Solid
from .scene import Layer, Scene, of
from .solids import ellipsoid, half_space, rotation, segment, strands
from .spine import Spine
from .textures import Warp


def abdomen_scene(rng: np.random.Generator, finding: str, sex: str, years: float) -> Scene:
    """Draw an abdomen.

    Args:
        rng: Source of randomness.
        finding: "no finding" or "lesion" (of the liver).
        sex: "female" or "male".
        years: Age; the aorta widens with it.
    """
    build = draw_build(rng, sex, years, spread=0.06, female=0.94, fat=18)
    fat = build.fat
    half = build.radii(138, 92, 1) + np.array([fat, fat, 600])
    skin = ellipsoid((0, 0, 0), half, square=0.3).kept()
    muscle = rng.uniform(8, 14)
    cavity = intersection(grown(skin, -fat - muscle), half_space((0, 1, 0), 70 * build.deep)).kept()
    spine = Spine(46 * build.deep, -2.5e-4, -40, 21 * build.size, 34 * build.tall)
    dome = rng.normal(118, 10) * build.tall
    liver = _liver(build, cavity, dome)
    layers = [
        of("fat", skin),
        of("muscle", grown(skin, -fat)),
        of("fat", cavity),
        *_back_muscles(build),
        *spine.layers(),
        *_bones(build, skin, fat),
        *_great_vessels(build),
        *bowel_layers(build, cavity),
        *_upper_organs(build, cavity),
        *_kidneys(build),
        of("liver", liver),
        *_liver_details(build),
        of(
            "lung",
            intersection(grown(cavity, -4), _above(build, dome), outside(spine.bodies)),
        ),
    ]
    if finding == "lesion":
        layers += _liver_lesions(build, liver)
    side, depth = 138 * build.broad + fat, 92 * build.deep + fat
    return Scene(
        body_part="abdomen",
        layers=tuple(layers),
        warp=Warp.draw(rng, rng.uniform(1.5, 5.0), 170),
        turn=rotation(*rng.normal(0, (0.04, 0.03, 0.03))),
        low=np.array([-side, -depth, -160 * build.tall], np.float32),
        high=np.array([side, depth, 150 * build.tall], np.float32),
        grain=build.noise.field(10),
        mottle=build.noise.field(30),
        finding=finding,
        sex=sex,
        years=years,
    )


def _above(build: Build, dome: float) -> Solid:
    """Above the diaphragm."""
    top = np.float32(dome)

    def measure(points: Points) -> Floats:
        sideways = (np.abs(points.x) - np.float32(58 * build.broad)) / np.float32(74)
        front = (points.y + 14) / np.float32(84)
        return top - 34 * sideways**2 - 50 * front**2 - points.z + 8 * (points.x > 0)

    return Solid(measure)


def _liver(build: Build, cavity: Solid, dome: float) -> Solid:
    rough = build.noise.field(40)
    right = ellipsoid(
        build.at(-70, -4, 0) + np.array([0, 0, dome - 84]),
        build.radii(80, 84, 92),
        rotation(roll=0.2),
    )
    left = ellipsoid(
        build.at(10, -44, 0) + np.array([0, 0, dome - 44]),
        build.radii(72, 38, 42),
        rotation(roll=-0.15),
    )
    hollow = ellipsoid(build.at(-14, 44, -40), build.radii(62, 52, 76))
    mass = intersection(union(right, left, blend=14), outside(hollow))
    return intersection(roughened(mass, rough, 2.5), grown(cavity, -2.0)).kept()


def _liver_details(build: Build) -> list[Layer]:
    portal = strands(build.path((-16, 4, 26), (-36, 2, 50), (-74, -4, 72)), [7, 6, 3])
    right = segment(build.at(-20, 20, 106), build.at(-84, 8, 84), 5.5, 2.5)
    middle = segment(build.at(-20, 18, 106), build.at(-56, -44, 84), 5, 2)
    return [
        of("bile", ellipsoid(build.at(-52, -46, 4), build.radii(13, 16, 26))),
        of("blood", *portal, right, middle),
    ]


def _upper_organs(build: Build, cavity: Solid) -> list[Layer]:
    rng = build.rng
    stomach = ellipsoid(build.at(48, -30, 78), build.radii(38, 42, 46) * rng.uniform(0.75, 1.1))
    air = ellipsoid(build.at(46, -52, 90), build.radii(24, 14, 26) * rng.uniform(0.6, 1.1))
    pancreas = strands(build.path((-24, -12, 14), (6, -18, 32), (56, 10, 50)), [12, 9, 8])
    spleen = ellipsoid(build.at(100, 34, 78), build.radii(25, 38, 50), rotation(yaw=0.4))
    layers = [
        of("soft", stomach, within=cavity),
        of("bowel", grown(stomach, -4), within=cavity),
        of("pancreas", *pancreas),
        of("spleen", spleen, within=cavity),
    ]
    if rng.random() < 0.7:
        layers.append(of("inner air", air, within=grown(stomach, -4)))
    return layers


def _kidneys(build: Build) -> list[Layer]:
    rng = build.rng
    layers = []
    for s in (-1, 1):
        place = build.at(s * rng.normal(62, 4), 40, rng.normal(6, 9) + 8 * s)
        lie = rotation(yaw=s * 0.5, roll=s * 0.2)
        kidney = ellipsoid(place, build.radii(27, 29, 54), lie)
        sinus = ellipsoid(place + np.array([-s * 9.0, -4.0, 0.0]), build.radii(13, 13, 27), lie)
        around = ellipsoid(place, build.radii(36, 36, 64), lie)
        layers += [of("fat", around), of("kidney", kidney), of("kidney sinus", sinus)]
    return layers


def _back_muscles(build: Build) -> list[Layer]:
    layers = []
    for s in (-1, 1):
        psoas = segment(build.at(s * 26, 40, 60), build.at(s * 52, 30, -190), 9, 26 * build.size)
        erector = segment(build.at(s * 30, 78, -260), build.at(s * 30, 78, 260), 24, 24)
        layers.append(of("muscle", psoas, erector))
    return layers


def _great_vessels(build: Build) -> list[Layer]:
    calibre = 1 + 0.004 * max(build.years - 40, 0)
    aorta = build.path((8, 10, 200), (6, 12, -100), (34, 8, -190))
    cava = build.path((-20, 18, 200), (-18, 14, -106), (-38, 12, -190))
    branch = build.path((6, 12, -100), (-30, 8, -190))
    renal = [segment(build.at(6, 12, 8), build.at(s * 52, 34, 8), 4, 3) for s in (-1, 1)]
    return [
        of("blood", *strands(aorta, [11 * calibre, 9 * calibre, 6])),
        of("blood", *strands(branch, [8, 6]), *strands(cava, [12, 11, 7]), *renal),
    ]


def _bones(build: Build, skin: Solid, fat: float) -> list[Layer]:
    """Lower ribs on the wall's inside, and the hip bones' wings."""
    rng = build.rng
    period = np.float32(25 * build.tall)
    slope, phase = np.float32(rng.uniform(0.5, 0.75)), np.float32(rng.uniform(0, 1))

    def rings(points: Points) -> Floats:
        level = (points.z - slope * points.y + np.float32(0.001) * points.x**2) / period
        return np.abs((level + phase) % 1 - np.float32(0.5)) * period - np.float32(6)

    margin = half_space((0, -0.9, -1), -22 * build.tall)
    ribs = intersection(shell(skin, 7, offset=-fat - 7), Solid(rings), margin).kept()
    hips = [
        ellipsoid(
            build.at(s * 88, 36, -158),
            build.radii(11, 52, 66),
            rotation(yaw=-s * 0.7),
            square=0.3,
        )
        for s in (-1, 1)
    ]
    return [
        of("rib", ribs),
        of("marrow", grown(ribs, -2)),
        of("rib", *hips),
        of("marrow", *(grown(hip, -3) for hip in hips)),
    ]


def _liver_lesions(build: Build, liver: Solid) -> list[Layer]:
    rng = build.rng
    rough = build.noise.field(18)
    inside = grown(liver, -2.0)
    bodies = []
    for _ in range(int(rng.choice((1, 2, 4), p=(0.6, 0.25, 0.15)))):
        centre = build.at(*rng.uniform((-112, -48, 30), (-40, 32, 104)))
        radii = rng.uniform(7, 22) * rng.uniform(0.8, 1.2, 3)
        bodies.append(roughened(ellipsoid(centre, radii), rough, 1.5))
    return [of("liver lesion", *bodies, within=inside)]
