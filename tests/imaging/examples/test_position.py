"""Positions say which share of a body region lies below a slice."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.imaging.examples.position import region_positions
from fedscan.imaging.examples.series import evenly
from fedscan.model.description import BODY_PARTS
from fedscan.model.region import LEAST_EXTENT_MM
from hypothesis import given
from hypothesis import strategies as st


def positions(heights, shown=None, part="head", plane="axial", margin=0.5):
    shown = np.ones(len(heights), bool) if shown is None else shown
    return region_positions(heights, shown, plane=plane, body_part=part, margin=margin)


def test_a_whole_scan_spans_zero_to_one_wherever_its_origin_is():
    heights = np.arange(200.0) - 1234
    found = positions(heights)
    np.testing.assert_allclose(found, (np.arange(200) + 0.5) / 200, atol=1e-5)
    np.testing.assert_allclose(positions(heights * 1.2, margin=0.6), found, atol=1e-5)


def test_a_slab_is_not_stretched_over_its_region():
    found = positions(np.arange(20.0))
    assert found.mean() == pytest.approx(0.5)
    assert np.ptp(found) == pytest.approx(19 / LEAST_EXTENT_MM["head"][0])


def test_air_above_the_patient_does_not_shift_the_region():
    heights, shown = np.arange(260.0), np.arange(260) < 200
    np.testing.assert_allclose(positions(heights, shown)[:200], positions(heights[:200]), atol=1e-5)


def test_a_single_slice_is_in_the_middle():
    assert positions([17.0]).tolist() == [0.5]


def test_every_region_and_plane_has_an_extent():
    assert set(LEAST_EXTENT_MM) == set(BODY_PARTS)


@given(
    heights=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30),
    part=st.sampled_from(BODY_PARTS),
    plane=st.sampled_from(["axial", "coronal", "sagittal"]),
    data=st.data(),
)
def test_positions_keep_the_order_and_the_range(heights, part, plane, data):
    levels = sorted(heights)
    shown = data.draw(st.lists(st.booleans(), min_size=len(levels), max_size=len(levels)))
    found = positions(levels, shown, part, plane)
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= 0).all()


@given(count=st.integers(1, 500), limit=st.integers(1, 100))
def test_chosen_slices_are_spread_evenly(count, limit):
    chosen = evenly(count, limit)
    assert len(chosen) == min(count, limit)
    steps = np.diff(chosen)
    assert (steps >= 1).all()
    assert not len(steps) or np.ptp(steps) <= 1
    assert abs((chosen[0] + chosen[-1]) / 2 - (count - 1) / 2) <= 1
