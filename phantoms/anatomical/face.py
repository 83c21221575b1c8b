"""The face and the base of the skull: orbits, eyes, air sinuses, mastoids, petrous bones."""

from __future__ import annotations

import numpy as np

from .shapes import Axes, Field, Tissues, blend, cone, ellipsoid, mirrored

#: Centre of the left eye and of the orbit's tip, as (left, posterior, superior) in mm.
EYE = (32.0, -67.0, -38.0)
ORBIT_TIP = (15.0, -30.0, -34.0)
EYE_RADIUS = 12.0


def paint_face(tissues: Tissues, grid: Axes, inside: Field, skin: Field) -> None:
    """Paint everything in front of and below the vault.

    Args:
        tissues: Painted so far: soft tissue within the skin.
        grid: Coordinates of the grid.
        inside: Signed distance to the inside of the skull, which nothing here enters.
        skin: Signed distance to the skin, which bone stays beneath.
    """
    _paint_base(tissues, grid, inside, skin)
    _paint_sinuses(tissues, grid, inside, skin)
    for eye, tip in zip(mirrored(EYE), mirrored(ORBIT_TIP), strict=True):
        _paint_orbit(tissues, grid, skin, eye, tip)


def _paint_base(tissues: Tissues, grid: Axes, inside: Field, skin: Field) -> None:
    """Bone of the skull base, cheeks and upper jaw, compact outside and marrow within."""
    solids = [
        ellipsoid(grid, (0.0, 2.0, -52.0), (19.0, 26.0, 15.0)),  # clivus and sphenoid
        ellipsoid(grid, (0.0, -54.0, -88.0), (27.0, 26.0, 16.0)),  # upper jaw
        ellipsoid(grid, (0.0, -77.0, -16.0), (24.0, 8.0, 12.0)),  # brow, around the frontal sinus
    ]
    for sign in (-1.0, 1.0):
        solids += [
            cone(
                grid, (sign * 58.0, 42.0, -46.0), (sign * 13.0, 12.0, -42.0), 11.0, 6.0
            ),  # petrous
            ellipsoid(grid, (sign * 57.0, 42.0, -54.0), (13.0, 17.0, 20.0)),  # mastoid
            cone(grid, (sign * 46.0, -62.0, -56.0), (sign * 66.0, -18.0, -52.0), 5.0, 3.0),  # cheek
            cone(grid, (sign * 48.0, -56.0, -24.0), (sign * 46.0, -60.0, -58.0), 4.5, 5.0),
            cone(grid, (sign * 5.0, -84.0, -40.0), (sign * 7.0, -90.0, -54.0), 2.0, 2.0),  # nasal
        ]
    bone = blend(solids, 3.0)
    bone = np.maximum(bone, skin + 5.0)
    bone = np.maximum(bone, 0.5 - inside)
    tissues.paint(tissues.occupancy(bone), cortical=0.85, marrow=0.15)
    tissues.paint(tissues.occupancy(bone + 2.6), cortical=0.25, marrow=0.75)


def _paint_sinuses(tissues: Tissues, grid: Axes, inside: Field, skin: Field) -> None:
    """Air spaces with the mucosa and the thin bone that line them."""
    z, y, x = grid
    spaces = [
        ellipsoid(grid, (0.0, -14.0, -47.0), (12.0, 12.0, 9.0)),  # sphenoid
        ellipsoid(grid, (0.0, -62.0, -74.0), (12.0, 26.0, 18.0)),  # nasal cavity
        ellipsoid(grid, (7.0, -78.0, -14.0), (7.0, 4.0, 10.0)),  # frontal, unequal sides
        ellipsoid(grid, (-9.0, -77.0, -16.0), (8.0, 4.0, 8.0)),
        ellipsoid(grid, (0.0, -50.0, -44.0), (10.5, 24.0, 11.0)),  # ethmoid
    ]
    spaces += [ellipsoid(grid, p, (13.0, 16.0, 14.0)) for p in mirrored((29.0, -56.0, -68.0))]
    wall = np.maximum(np.minimum.reduce(spaces), skin + 4.0)
    wall = np.maximum(wall, 2.0 - inside)
    tissues.paint(tissues.occupancy(wall - 1.4), cortical=0.7, muscle=0.3)
    tissues.paint(tissues.occupancy(wall), muscle=0.04)
    # Ethmoid cells and nasal conchae: thin walls a few mm apart.
    cells = np.exp(-((y + 50.0) ** 2) / 700.0) * (np.abs(x) < 11.0) * (z > -57.0)
    septa = cells * np.maximum(np.cos(y * 0.75 + x), np.cos(x * 0.85)) ** 4
    conchae = (np.abs(x) < 12.0) * (z < -57.0) * (0.35 + 0.35 * np.cos(np.abs(x) * 0.9 + 0.6))
    air = tissues.occupancy(wall)
    tissues.paint(air * np.clip(0.7 * septa, 0.0, 1.0), cortical=0.3, muscle=0.7)
    tissues.paint(air * np.clip(conchae, 0.0, 1.0), cortical=0.1, muscle=0.9)
    rng = np.random.default_rng(2)
    honeycomb = rng.random(inside.shape, np.float32)
    for point in mirrored((57.0, 42.0, -54.0)):
        mastoid = np.maximum(ellipsoid(grid, point, (9.0, 13.0, 16.0)), 2.5 - inside)
        tissues.paint(tissues.occupancy(mastoid) * honeycomb, muscle=0.05)
    for point in mirrored((48.0, 27.0, -44.0)):  # middle ear and ear canal
        canal = cone(grid, point, (point[0] * 1.75, 24.0, -45.0), 3.5, 3.0)
        tissues.paint(tissues.occupancy(np.maximum(canal, 1.5 - inside)))


def _paint_orbit(
    tissues: Tissues,
    grid: Axes,
    skin: Field,
    eye: tuple[float, float, float],
    tip: tuple[float, float, float],
) -> None:
    """One orbit: bony wall, fat, straight muscles, optic nerve and the eye itself."""
    side = np.sign(eye[0])
    orbit = cone(grid, eye, tip, 17.0, 4.0)
    beneath = np.maximum(orbit, skin + 4.0)
    tissues.paint(tissues.occupancy(np.maximum(beneath - 2.0, skin + 10.0)), cortical=1.0)
    tissues.paint(tissues.occupancy(beneath), fat=0.95, muscle=0.05)
    muscles = [
        cone(grid, (eye[0] + side * 13.5, -64.0, eye[2]), tip, 1.8, 1.8),
        cone(grid, (eye[0] - side * 13.5, -64.0, eye[2]), tip, 1.8, 1.8),
        cone(grid, (eye[0], -64.0, eye[2] + 13.0), tip, 1.8, 1.8),
        cone(grid, (eye[0], -64.0, eye[2] - 13.0), tip, 1.8, 1.8),
    ]
    tissues.paint(tissues.occupancy(np.minimum.reduce(muscles)), muscle=1.0)
    nerve = cone(grid, (eye[0] - side * 1.5, eye[1] + 10.0, eye[2]), tip, 2.0, 2.0)
    tissues.paint(tissues.occupancy(nerve), white=1.0)
    globe = ellipsoid(grid, eye, (EYE_RADIUS,) * 3)
    tissues.paint(tissues.occupancy(globe), skin=1.0)
    tissues.paint(tissues.occupancy(globe + 1.0), vitreous=1.0)
    lens = ellipsoid(grid, (eye[0], eye[1] - 8.0, eye[2]), (4.5, 2.2, 4.5))
    tissues.paint(tissues.occupancy(lens), lens=1.0)
