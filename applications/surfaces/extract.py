"""From voxels to a closed, smooth surface in millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy import ndimage, sparse
from skimage.measure import marching_cubes

from ...errors import DataError

#: Taubin's two steps: the second undoes the shrinking of the first.
_SHRINK, _GROW = 0.5, 0.53
#: Gaussian blur of a label map in voxels: turns its steps into a slope to cut through.
_BLUR_VOXELS = 1.0
#: Steps that the blurred label map is rounded to.
_STEP = 1e-3


@dataclass(frozen=True, kw_only=True)
class SurfaceSettings:
    """How a surface is made.

    Attributes:
        smoothing: Rounds of Taubin smoothing (Taubin 1995, "A signal processing approach to
            fair surface design"); 0 leaves the marching cubes' surface as it is.
        smallest_ml: Separate pieces of less than this volume are left out.
    """

    smoothing: int = 10
    smallest_ml: float = 0.05


def surface_of_labels(
    inside: NDArray[np.bool_], affine: NDArray[np.float64], settings: SurfaceSettings
) -> trimesh.Trimesh:
    """Return the surface of a set of voxels.

    Args:
        inside: ``[I, J, K]``, the voxels of the structure.
        affine: ``[4, 4]``, voxel indices to mm.
        settings: How it is made.

    Raises:
        DataError: If no piece is large enough.
    """
    pieces = _large_pieces(inside, affine, settings.smallest_ml)
    # Room around it, so that a structure cut by the volume's edge is closed there.
    field = ndimage.gaussian_filter(np.pad(pieces.astype(np.float32), 2), _BLUR_VOXELS)
    # Blur shrinks what is small; the level at which as many voxels lie inside keeps its volume.
    level = np.sort(field.ravel())[-int(pieces.sum())]
    # Voxels take whole steps and the cut lies between two: through, or all but through, a voxel's
    # centre it would have triangles without area, and no longer be closed.
    grid_field = np.round(field / _STEP) * np.float32(_STEP)
    return _cut(grid_field, (np.round(level / _STEP) - 0.5) * _STEP, affine, 2, settings)


def surface_above(
    volume: NDArray[np.float32],
    level: float,
    affine: NDArray[np.float64],
    settings: SurfaceSettings,
) -> trimesh.Trimesh:
    """Return the surface at which a volume's values rise above a level, such as bone in CT.

    Args:
        volume: ``[I, J, K]``; NaN lies outside.
        level: The level, in the volume's unit.
        affine: ``[4, 4]``, voxel indices to mm.
        settings: How it is made.

    Raises:
        DataError: If no piece is large enough.
    """
    inside = _large_pieces(volume > level, affine, settings.smallest_ml)
    around = ndimage.binary_dilation(inside, iterations=2)
    lowest = float(np.nanmin(volume))
    # Where nothing is darker than the level, it is cut halfway to the voxels beside.
    low = min(lowest, level - 1.0, 2 * level - lowest)
    values = np.nan_to_num(np.where(around, volume, low), nan=low)
    field = np.pad(values, 1, constant_values=low)
    # Stored values are whole numbers, as levels are: a cut exactly at one would be degenerate.
    apart = level + 1e-3 * max(1.0, abs(level))
    return _cut(field.astype(np.float32), apart, affine, 1, settings)


def _large_pieces(
    inside: NDArray[np.bool_], affine: NDArray[np.float64], smallest_ml: float
) -> NDArray[np.bool_]:
    pieces, count = ndimage.label(inside)
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000.0
    sizes = np.bincount(pieces.ravel(), minlength=count + 1) * voxel_ml
    large = sizes >= smallest_ml
    large[0] = False
    if not large.any():
        raise DataError(
            f"There is no structure of at least {smallest_ml:g} ml: the largest of {count} pieces "
            f"has {max(sizes[1:], default=0.0):.3g} ml.",
            hint="Check the label or level, or set --smallest to less.",
        )
    return np.asarray(large[pieces])


def _cut(
    field: NDArray[np.float32],
    level: float,
    affine: NDArray[np.float64],
    padding: int,
    settings: SurfaceSettings,
) -> trimesh.Trimesh:
    vertices, faces, _, _ = marching_cubes(field, level)
    positions = (vertices - padding) @ affine[:3, :3].T + affine[:3, 3]
    # Marching cubes winds faces by index axes: a mirroring affine would turn them inside out.
    if np.linalg.det(affine[:3, :3]) > 0:
        faces = faces[:, ::-1]
    mesh = trimesh.Trimesh(vertices=positions, faces=faces, process=True)
    trimesh.smoothing.filter_taubin(
        mesh,
        lamb=_SHRINK,
        nu=_GROW,
        iterations=2 * settings.smoothing,
        laplacian_operator=_neighbour_mean(mesh),
    )
    if mesh.volume < 0:
        mesh.invert()
    return mesh


def _neighbour_mean(mesh: trimesh.Trimesh) -> sparse.csr_matrix:
    """Return the matrix that replaces each vertex by the mean of its neighbours.

    Every row adds up to one, also where triangles meet in a single vertex or an edge has more
    than two of them, as in surfaces of noisy volumes: trimesh's own operator grows spikes there.
    """
    edges = mesh.edges_unique
    count = len(mesh.vertices)
    ones = np.ones(len(edges))
    links = sparse.coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    links = (links + links.T + sparse.identity(count)).tocsr()
    return sparse.diags(1.0 / np.asarray(links.sum(1)).ravel()) @ links
