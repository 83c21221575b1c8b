"""Face, skull base and neck: orbits, jaws, air spaces, petrous bones, vertebrae."""

from __future__ import annotations

import numpy as np

from .build import Build
from .combine import grown, intersection, roughened, shell, union
from .points import Floats, Points, Solid
from .scene import Layer, of
from .solids import ball, ellipsoid, half_space, rotation, segment, strands


def face_layers(build: Build, skin: Solid) -> list[Layer]:
    """Facial bones, mouth, nose, sinuses and eyes."""
    rng = build.rng
    air = rng.uniform(0.75, 1.15)
    jaw = intersection(
        shell(ellipsoid(build.at(0, -34, -92), build.radii(44, 52, 42)), 9),
        half_space((0, 1, 0), -2),
        half_space((0, 0, 1), -80 * build.tall),
        half_space((0, 0, -1), 114 * build.tall),
    )
    teeth = intersection(
        shell(ellipsoid(build.at(0, -44, -82), build.radii(26, 36, 60)), 8),
        half_space((0, 1, 0), -44 * build.deep),
        half_space((0, 0, 1), -72 * build.tall),
        half_space((0, 0, -1), 92 * build.tall),
    )
    cheeks = [
        segment(build.at(s * 46, -66, -50), build.at(s * 66, -20, -44), 5, 3.5) for s in (-1, 1)
    ]
    layers = [
        of(
            "marrow",
            ellipsoid(build.at(0, -60, -56), build.radii(42, 24, 24), square=0.3),
        ),
        of("rib", *cheeks),
        of("soft", ellipsoid(build.at(0, -40, -80), build.radii(28, 36, 17))),
        of("mucosa", ellipsoid(build.at(0, -54, -76), build.radii(19, 28, 10))),
        of("cortical bone", jaw, teeth),
        of("marrow", grown(jaw, -2.5)),
    ]
    for s in (-1, 1):
        front, apex = build.at(s * 32, -74, -34), build.at(s * 16, -34, -28)
        layers += [
            of("cortical bone", segment(front, apex, 20, 7), within=skin),
            of("fat", segment(front, apex, 17.5, 4.5), within=skin),
            of("muscle", segment(front, apex, 4.0, 2.0)),
            of("eye", ball(build.at(s * 32, -76, -34), 12)),
            of("lens", ellipsoid(build.at(s * 32, -84.5, -34), (4.5, 2.2, 4.5))),
        ]
    layers.append(
        of(
            "mucosa",
            ellipsoid(build.at(0, -62, -48), build.radii(13, 26, 22), square=0.5),
        )
    )
    spaces: list[Solid] = []
    for s in (-1, 1):
        spaces += [
            ellipsoid(build.at(s * 27, -60, -58), build.radii(13, 16, 15) * air, square=0.4),
            ellipsoid(build.at(s * 7, -58, -34), build.radii(4.5, 20, 10) * air, square=0.5),
            ellipsoid(build.at(s * 6.5, -66, -58), build.radii(3, 25, 12), square=0.5),
        ]
    throat = strands(
        build.path((0, -28, -60), (0, -12, -74), (0, -4, -130)),
        [9, 8, 8],
        (0.7, 1.3, 1),
    )
    layers.append(of("inner air", *spaces, *throat))
    return layers


def skull_base_layers(build: Build, cavity: Solid) -> list[Layer]:
    """Clivus, petrous bones with their air cells, sphenoid and frontal sinus."""
    rng = build.rng
    petrous = [
        ellipsoid(build.at(s * 46, 12, -36), build.radii(26, 11, 12), rotation(yaw=s * 0.6))
        for s in (-1, 1)
    ]
    wings = [
        ellipsoid(build.at(s * 34, -38, -20), build.radii(30, 5, 5), rotation(yaw=-s * 0.45))
        for s in (-1, 1)
    ]
    clivus = segment(build.at(0, -8, -26), build.at(0, 4, -56), 8, 7)
    body = ellipsoid(build.at(0, -26, -40), build.radii(20, 20, 12))
    floor = intersection(union(body, *petrous, clivus, blend=5), half_space((0, 0, 1), -16)).kept()
    cells = build.noise.field(9.0)
    spaces: list[Solid] = [ellipsoid(build.at(0, -30, -38), build.radii(13, 12, 8))]
    for s in (-1, 1):
        mastoid = ellipsoid(build.at(s * 55, 24, -46), build.radii(8, 12, 13))
        spaces += [
            intersection(roughened(mastoid, cells, 4.0), grown(cavity, 7)),
            segment(build.at(s * 82, 8, -36), build.at(s * 48, 8, -36), 3.2, 3.2),
        ]
    if rng.random() < 0.85:
        spaces.append(ellipsoid(build.at(rng.normal(0, 3), -87, -8), (rng.uniform(9, 18), 4, 9)))
    return [
        of("cortical bone", floor, *wings),
        of("marrow", grown(floor, -4)),
        of("inner air", *spaces),
    ]


def neck_layers(build: Build) -> list[Layer]:
    """Cervical vertebrae with discs."""
    column = segment(build.at(0, 12, -66), build.at(0, 16, -190), 12, 12).kept()
    spread = segment(build.at(0, 22, -66), build.at(0, 28, -190), 22, 22, flat=(1, 2, 1))

    def gaps(points: Points) -> Floats:
        return np.abs((points.z / np.float32(17)) % 1 - np.float32(0.5)) * 17 - np.float32(2.2)

    processes = intersection(
        segment(build.at(0, 46, -72), build.at(0, 56, -190), 6, 7),
        Solid(lambda points: np.float32(2.5) - gaps(points)),
    )
    return [
        of("marrow", spread),
        of("cortical bone", column, processes),
        of("marrow", grown(column, -2.0)),
        of("disc", intersection(column, Solid(gaps))),
    ]
