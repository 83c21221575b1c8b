"""Where a voxel lies is the same before and after a volume is turned, and in either convention."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.imaging.orientation import lps_to_ras, ras_to_lps, to_canonical
from fedscan.imaging.writing.space import SliceGrid
from fedscan.model.planes import AXES, PLANE_ACROSS, PLANES, stacking_axis
from fedscan.model.volumes.cube import from_plane, to_plane
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

TURNS = st.builds(
    lambda seed: Rotation.random(random_state=seed).as_matrix(), st.integers(0, 10_000)
)
SIGNS = st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3)
STEPS = st.tuples(*[st.floats(0.3, 6.0)] * 3)
SHAPES = st.tuples(*[st.integers(1, 5)] * 3)


@given(turn=TURNS, signs=SIGNS, steps=STEPS, shape=SHAPES)
def test_a_turned_volume_keeps_every_voxel_in_its_place(turn, signs, steps, shape):
    affine = np.eye(4)
    affine[:3, :3] = turn * np.multiply(signs, steps)
    affine[:3, 3] = (5, -7, 11)
    volume = np.arange(np.prod(shape)).reshape(shape)
    turned, turned_affine = to_canonical(volume, affine)
    for index in np.ndindex(*turned.shape):
        place = turned_affine @ (*index, 1)
        before = np.rint(np.linalg.solve(affine, place)[:3]).astype(int)
        assert volume[tuple(before)] == turned[index]
    # The nearest anatomical directions: head, back, left.
    directions = turned_affine[:3, :3] / np.linalg.norm(turned_affine[:3, :3], axis=0)
    assert (np.diag(directions[::-1]) > 0).all()


def test_lps_and_ras_differ_in_two_signs():
    assert np.allclose(lps_to_ras(np.eye(4)) @ (1, 2, 3, 1), (-1, -2, 3, 1))
    assert np.allclose(ras_to_lps(lps_to_ras(np.arange(16.0).reshape(4, 4))).ravel(), range(16))


@pytest.mark.parametrize("plane", PLANES)
def test_a_plane_is_read_off_one_table_wherever_slices_are_cut(plane):
    """A cube cut into slices, a grid of them, and the table say the same of every voxel."""
    torch = pytest.importorskip("torch")
    size = 4
    z, y, x = np.indices((size,) * 3)
    axes = AXES[plane]
    for direction, axis in ((axes.onwards, 0), (axes.column, 1), (axes.row, 2)):
        along = x * direction[0] + y * direction[1] + z * direction[2]
        slices = to_plane(torch.from_numpy(along), plane)
        assert (np.diff(slices.numpy(), axis=axis) == 1).all()
        assert torch.equal(from_plane(slices, plane), torch.from_numpy(along))
    grid = SliceGrid.centred(plane, (size, size, size), pixel_mm=2.0, slice_mm=3.0)
    assert grid.row.tolist() == list(axes.row)
    assert grid.column.tolist() == list(axes.column)
    assert np.allclose(grid.corner(1) - grid.corner(0), np.multiply(axes.onwards, 3.0))
    middle = grid.to_lps @ (*[(size - 1) / 2] * 3, 1)
    assert np.allclose(middle[:3], 0)
    assert np.abs(np.cross(axes.row, axes.column)).argmax() == PLANE_ACROSS.index(plane)
    assert 2 - np.abs(axes.onwards).argmax() == stacking_axis(plane)
