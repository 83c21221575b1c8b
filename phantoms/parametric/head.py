"""Heads: scalp, skull, brain, face, and lesions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .brain import brain_layers
from .build import Build, draw_build
from .combine import grown, intersection, roughened, shell, union
from .face import face_layers, neck_layers, skull_base_layers
from .points import Floats, Points, Solid
from .scene import Layer, Scene, of
from .solids import ellipsoid, half_space, rotation, segment
from .textures import Warp


def head_scene(rng: np.random.Generator, finding: str, sex: str, years: float) -> Scene:
    """Draw a head.

    Args:
        rng: Source of randomness.
        finding: "no finding" or "lesion".
        sex: "female" or "male".
        years: Age; ventricles and furrows widen with it.
    """
    build = draw_build(rng, sex, years, spread=0.035, female=0.96, fat=5.5)
    bone_mm = rng.uniform(5.0, 8.5)
    inner = build.radii(68, 86, 73)  # the skull's inside
    cavity, cranium = _cavity(build, inner, bone_mm)
    skin = _outline(build, cavity, bone_mm + build.fat)
    brain, cerebrum = brain_layers(build, cavity, inner)
    layers = [
        of("fat", skin),
        of(
            "muscle",
            grown(skin, -build.fat),
            within=half_space((0, 0.35, 1), 4 * build.tall),
        ),
        *face_layers(build, skin),
        of("cortical bone", cranium),
        of("marrow", shell(cavity, bone_mm * 0.4, offset=bone_mm / 2), within=grown(cranium, -1.0)),
        *neck_layers(build),
        of("csf", cavity),
        *skull_base_layers(build, cavity),
        *brain,
    ]
    if finding == "lesion":
        layers += _lesions(build, cerebrum)
    top = 2 + inner[2] + bone_mm + build.fat
    side = inner[0] + bone_mm + build.fat
    depth = inner[1] + bone_mm + build.fat
    return Scene(
        body_part="head",
        layers=tuple(layers),
        warp=Warp.draw(rng, rng.uniform(0.8, 2.2), 130),
        turn=rotation(*(rng.normal(0, (0.06, 0.07, 0.05)))),
        low=np.array([-side, -depth - 6, -106 * build.tall], np.float32),
        high=np.array([side, depth, top], np.float32),
        grain=build.noise.field(7),
        mottle=build.noise.field(22),
        finding=finding,
        sex=sex,
        years=years,
    )


def _cavity(build: Build, inner: NDArray[np.float64], bone_mm: float) -> tuple[Solid, Solid]:
    """The skull's inside, three steps down from the orbits' roof to the hindbrain; the skull."""
    roof = np.float32(-15 * build.tall)
    broad = build.broad

    def floor(points: Points) -> Floats:
        """Front fossa in front, middle fossa at its sides, the clivus in the middle."""
        aside = np.clip((np.abs(points.x) - np.float32(11 * broad)) * np.float32(0.12), 0, 1)
        drop = (points.y + np.float32(10) + 22 * aside) * np.float32(1 / 18)
        np.clip(drop, 0, 1, out=drop)
        level = roof - np.float32(42) * drop - np.float32(0.06) * np.abs(points.x)
        return (level - points.z) * np.float32(0.75)

    vault = ellipsoid((0, 0, 2), inner, square=0.14).kept()
    base = Solid(floor, shared=True)
    skull = intersection(grown(vault, bone_mm), grown(base, 3.0))
    return intersection(vault, base).kept(), skull


def _outline(build: Build, cavity: Solid, thickness: float) -> Solid:
    """The skin: skull cap, face, chin, nose, ears and neck."""
    face = ellipsoid(build.at(0, -50, -56), build.radii(57, 48, 60), square=0.3)
    chin = ellipsoid(build.at(0, -68, -104), build.radii(26, 20, 20))
    neck = segment(build.at(0, 22, -40), build.at(0, 32, -190), 56, 56, flat=(1, 0.95, 1))
    nose = segment(build.at(0, -90, -26), build.at(0, -110, -56), 7, 12)
    ears = [
        ellipsoid(build.at(s * 80, 12, -30), build.radii(4, 14, 26), rotation(yaw=-s * 0.4))
        for s in (-1, 1)
    ]
    upper = union(grown(cavity, thickness), face, blend=14)
    return union(upper, chin, neck, nose, *ears, blend=9).kept()


def _lesions(build: Build, cerebrum: Solid) -> list[Layer]:
    rng = build.rng
    rough = build.noise.field(14)
    inside = grown(cerebrum, -1.5)
    layers: list[Layer] = []
    for _ in range(1 + int(rng.random() < 0.3)):
        radius = rng.uniform(4, 12)
        x, y, z = rng.uniform((14, -62, -4), (48, 58, 54))
        centre = build.at(x * rng.choice((-1, 1)), y, z)
        radii = radius * rng.uniform(0.8, 1.25, 3)
        turn = rotation(*rng.uniform(0, 3, 3))
        if rng.random() < 0.6:
            around = ellipsoid(centre, radii + rng.uniform(3, 9), turn)
            layers.append(of("oedema", roughened(around, rough, 2.0).hazy(5.0), within=inside))
        core = roughened(ellipsoid(centre, radii, turn), rough, 0.12 * radius)
        layers.append(of("brain lesion", core, within=inside))
    return layers
