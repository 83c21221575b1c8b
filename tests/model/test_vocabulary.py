import numpy as np
import pytest
from fedscan.model.conditions import (
    EDGES_PRESENT,
    LABEL,
    MASK_PRESENT,
    PARTIAL,
    PARTIAL_KNOWN,
    SPATIAL_CHANNELS,
    spatial_conditions,
)
from fedscan.model.description import AGE_BANDS, Description, age_band
from fedscan.model.intensity import hounsfield_to_model, model_to_hounsfield, percentile_to_model
from hypothesis import given
from hypothesis import strategies as st


@given(st.floats(-1000, 2000))
def test_hounsfield_units_survive_the_round_trip(hu):
    back = model_to_hounsfield(hounsfield_to_model(np.array([hu])))
    assert back[0] == pytest.approx(hu, abs=0.05)


def test_hounsfield_map_is_monotonic_and_bounded():
    values = hounsfield_to_model(np.linspace(-3000, 5000, 500))
    assert values.min() == -1
    assert values.max() == 1
    assert (np.diff(values) >= 0).all()


def test_constant_image_maps_to_the_floor():
    assert (percentile_to_model(np.full((4, 4), 7.0)) == -1).all()


def test_caption_names_what_is_known_and_nothing_else():
    known = Description(
        modality="T2-weighted MR", body_part="head", plane="axial", finding="lesion", sex="female"
    )
    assert known.caption() == "axial T2-weighted MR slice of the head, lesion, female"
    projection = Description(modality="X-ray", body_part="chest", view="PA", finding="pneumonia")
    assert projection.caption() == "chest X-ray, PA view, pneumonia"


@given(st.text())
def test_no_word_outside_the_vocabulary_becomes_a_description(word):
    if word not in ("", "lesion", "no finding", "pneumonia", "COVID-19", "other finding"):
        with pytest.raises(ValueError, match="finding="):
            Description(modality="CT", finding=word)


def test_age_bands_cover_all_ages_in_order():
    bands = [age_band(years) for years in range(0, 110)]
    assert sorted(set(bands), key=bands.index) == list(AGE_BANDS)


def test_conditions_tell_absent_from_empty():
    absent = spatial_conditions((4, 4))
    empty = spatial_conditions((4, 4), mask=np.zeros((4, 4), np.uint8))
    assert absent.shape == (SPATIAL_CHANNELS, 4, 4)
    assert not absent.any()
    assert (empty[MASK_PRESENT] == 1).all()
    assert not empty[:MASK_PRESENT].any()


def test_conditions_put_each_label_and_image_in_its_channel():
    mask = np.zeros((4, 4), np.uint8)
    mask[1, 2] = LABEL["lesion"]
    image = np.full((4, 4), 0.5, np.float32)
    known = np.zeros((4, 4), bool)
    known[:2] = True
    stack = spatial_conditions(
        (4, 4), mask=mask, edges=np.ones((4, 4), np.float32), partial=image, known_pixels=known
    )
    assert stack[LABEL["lesion"] - 1].sum() == 1
    assert stack[LABEL["lesion"] - 1, 1, 2] == 1
    assert (stack[EDGES_PRESENT] == 1).all()
    assert (stack[PARTIAL][known] == 0.5).all()
    assert not stack[PARTIAL][~known].any()
    assert (stack[PARTIAL_KNOWN] == known).all()


def test_conditions_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="mask has shape"):
        spatial_conditions((4, 4), mask=np.zeros((3, 4), np.uint8))
