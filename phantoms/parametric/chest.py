"""Thoraces: body outline, rib cage, lungs, heart, great vessels and spine."""

from __future__ import annotations

import numpy as np

from .build import draw_build
from .chest_findings import chest_findings
from .chest_organs import airways, great_vessels, heart, lungs, mediastinum, upper_belly
from .chest_wall import breasts, rib_layers, shoulder_layers, torso, wall_layers
from .combine import grown, intersection
from .lung_vessels import grow_vessels, vessel_layer
from .scene import Scene, of
from .solids import ellipsoid, half_space, rotation
from .spine import Spine
from .textures import Warp

_OTHERS = ("effusion", "nodule", "heart")


def chest_scene(rng: np.random.Generator, finding: str, sex: str, years: float) -> Scene:
    """Draw a thorax.

    Args:
        rng: Source of randomness.
        finding: "no finding", "pneumonia", "COVID-19" or "other finding".
        sex: "female" or "male".
        years: Age; the aorta widens and the back bends with it.
    """
    build = draw_build(rng, sex, years, spread=0.055, female=0.93, fat=15)
    broad, deep, tall = build.broad, build.deep, build.tall
    other = str(rng.choice(_OTHERS)) if finding == "other finding" else ""
    heart_size = float(rng.normal(1.0, 0.06))
    if other == "heart":
        heart_size *= rng.uniform(1.26, 1.45)
    # How deeply the patient has breathed in.
    domes = float(np.clip(rng.normal(-74, 17), -110, -35)) * tall

    ribs = ellipsoid((0, 0, -82 * tall), build.radii(140, 95, 218), square=0.22).kept()
    skin = torso(build)
    age_bend = 1 + float(np.clip((years - 50) / 50, 0, 1))
    spine = Spine(60 * deep, rng.uniform(5e-4, 9e-4) * age_bend, 0, 17 * build.size, 21 * tall)
    middle = mediastinum(build)
    air = lungs(build, ribs, spine, middle, domes)
    body, chambers = heart(build, domes, heart_size)
    vessels = grow_vessels(build)

    layers = [
        *wall_layers(build, skin),
        *breasts(build),
        *shoulder_layers(build),
        *rib_layers(build, ribs),
        of("soft", intersection(grown(ribs, -6.0), half_space((0, 0, 1), 150 * tall))),
        *upper_belly(build, ribs, domes),
        *spine.layers(),
        of("fat", middle),
        of("soft", grown(body, 3.5)),
        of("lung", air),
        vessel_layer(vessels, air),
        of("heart muscle", body),
        of("blood", *chambers),
        *great_vessels(build, spine),
        *airways(build),
        *chest_findings(build, finding, other, air, ribs, domes),
    ]
    side = 150 * broad + build.fat
    return Scene(
        body_part="chest",
        layers=tuple(layers),
        warp=Warp.draw(rng, rng.uniform(1.0, 4.0), 190),
        turn=rotation(*rng.normal(0, (0.04, 0.03, 0.03))),
        low=np.array([-side, -(100 * deep + build.fat), -190 * tall], np.float32),
        high=np.array([side, 112 * deep + build.fat, 165 * tall], np.float32),
        grain=build.noise.field(11),
        mottle=build.noise.field(34),
        finding=finding,
        enlarged_heart=other == "heart",
        sex=sex,
        years=years,
        vessels=vessels,
    )
