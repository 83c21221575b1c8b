"""A picture of a surface from three sides, drawn without a graphics card."""

from __future__ import annotations

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from ...model.marking import NOTICE, png_text

#: Directions of view (towards the viewer), and what is up; RAS coordinates.
VIEWS = {
    "front": (np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])),
    "left": (np.array([-1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])),
    "top": (np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])),
}
_POINTS_PER_PIXEL = 16
_LIGHT = np.array([0.4, 0.5, 0.75])
_COLOUR = np.array([222, 205, 180])
_SEED = 0


def preview(mesh: trimesh.Trimesh, *, pixels: int = 320) -> Image.Image:
    """Draw a surface from the front, the left and above, at one scale.

    Args:
        mesh: The surface in mm, RAS.
        pixels: Side of each of the three pictures.
    """
    extent = float(np.ptp(mesh.vertices, axis=0).max()) * 1.1
    middle = mesh.bounds.mean(0)
    points, face = trimesh.sample.sample_surface(mesh, _POINTS_PER_PIXEL * pixels**2, seed=_SEED)
    # A vertex's normal is the mean of its faces': the facets do not show.
    normals = mesh.vertex_normals[mesh.faces[face]].mean(1)
    tiles = [
        _draw(points - middle, normals, towards, up, pixels / extent, pixels)
        for towards, up in VIEWS.values()
    ]
    return Image.fromarray(np.concatenate(tiles, axis=1))


def save_preview(mesh: trimesh.Trimesh, path: str, *, synthetic: bool) -> None:
    """Write the preview as PNG; that of a synthetic volume says so in its text."""
    texts = {"Description": f"surface, {NOTICE}" if synthetic else "surface"}
    preview(mesh).save(path, pnginfo=png_text(texts, synthetic=synthetic))


def _draw(
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    towards: NDArray[np.float64],
    up: NDArray[np.float64],
    scale: float,
    pixels: int,
) -> NDArray[np.uint8]:
    """Draw points as a z-buffer: of all points in a pixel the nearest is seen."""
    right = np.cross(up, towards)
    column = np.clip((points @ right * scale + pixels / 2).astype(int), 0, pixels - 1)
    row = np.clip((pixels / 2 - points @ up * scale).astype(int), 0, pixels - 1)
    order = np.argsort(points @ towards)  # painter's algorithm: the nearest last
    light = _LIGHT[0] * right + _LIGHT[1] * up + _LIGHT[2] * towards
    shade = np.clip(normals @ (light / np.linalg.norm(light)), 0.0, 1.0) * 0.8 + 0.2
    tile = np.full((pixels, pixels, 3), 18, np.uint8)
    tile[row[order], column[order]] = (shade[order, None] * _COLOUR).astype(np.uint8)
    return tile
