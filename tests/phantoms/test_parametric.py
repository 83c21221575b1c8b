"""Parametric phantoms: what their examples promise to whoever trains on them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from fedscan.errors import ConfigurationError
from fedscan.model.conditions import LABEL, MASK_CLASSES
from fedscan.model.example import Example
from fedscan.model.intensity import model_to_hounsfield
from fedscan.phantoms.parametric import BODY_PARTS, sample_examples, sample_paired_slices
from fedscan.phantoms.parametric.contrast import CONTRASTS
from hypothesis import given, settings
from hypothesis import strategies as st

SIZE = 48


def draw(part: str | None, count: int, seed: int = 0, size: int = SIZE) -> list[Example]:
    """Six images each of as many patients as it takes."""
    examples: list[Example] = []
    while len(examples) < count:
        rng = np.random.default_rng([seed, len(examples)])
        examples += sample_examples(rng, image_size=size, per_volume=6, body_part=part)
    return examples


@pytest.fixture(scope="module")
def heads() -> list[Example]:
    return draw("head", 120)


@pytest.fixture(scope="module")
def chests() -> list[Example]:
    return draw("chest", 120)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([16, 31, 32, 64]),
    part=st.sampled_from([*BODY_PARTS, None]),
    count=st.integers(1, 4),
)
def test_examples_are_complete_and_repeatable(
    seed: int, size: int, part: str | None, count: int
) -> None:
    first, again = (
        sample_examples(
            np.random.default_rng(seed), image_size=size, per_volume=count, body_part=part
        )
        for _ in range(2)
    )
    assert len(first) == count
    for example, twin in zip(first, again, strict=True):
        assert example.description == twin.description
        assert example.position == twin.position
        np.testing.assert_array_equal(example.image, twin.image)
        np.testing.assert_array_equal(example.mask, twin.mask)
        assert example.image.shape == (size, size)
        assert example.image.dtype == np.float32
        assert np.isfinite(example.image).all()
        assert -1 <= example.image.min() < example.image.max() <= 1
        assert example.mask is not None
        assert example.mask.shape == (size, size)
        assert example.mask.dtype == np.uint8
        assert example.mask.max() <= len(MASK_CLASSES)
        assert 0 <= example.position <= 1
        assert example.description.body_part in BODY_PARTS


def test_other_seeds_give_other_patients() -> None:
    images = [
        sample_examples(np.random.default_rng(seed), image_size=32, per_volume=1)[0].image
        for seed in range(4)
    ]
    assert all(np.abs(one - other).mean() > 0.02 for one, other in pairwise(images))


def test_an_unknown_body_part_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="elbow"):
        sample_examples(np.random.default_rng(0), image_size=32, per_volume=1, body_part="elbow")


def test_findings_are_those_that_the_slice_shows(heads: list[Example]) -> None:
    seen = set()
    for example in heads:
        assert example.mask is not None
        has_lesion = bool((example.mask == LABEL["lesion"]).any())
        if example.description.finding:
            assert example.description.finding == ("lesion" if has_lesion else "no finding")
            seen.add(example.description.finding)
    assert seen == {"lesion", "no finding"}


def test_chests_show_every_finding_and_mask_the_focal_ones(chests: list[Example]) -> None:
    findings = {example.description.finding for example in chests}
    assert findings == {"", "no finding", "pneumonia", "COVID-19", "other finding"}
    for example in chests:
        assert example.mask is not None
        lesion = bool((example.mask == LABEL["lesion"]).any())
        if example.description.finding == "no finding":
            assert not lesion
        if example.description.finding in ("pneumonia", "COVID-19"):
            assert lesion


def test_modalities_planes_and_views_are_mixed(heads: list[Example], chests: list[Example]) -> None:
    slices = {"CT", "T1-weighted MR", "T2-weighted MR"}
    assert {example.description.modality for example in heads} == slices
    assert {example.description.plane for example in heads} == {"axial", "coronal", "sagittal"}
    films = [example for example in chests if example.description.modality == "X-ray"]
    assert len(films) > len(chests) / 2
    assert {film.description.view for film in films} == {"", "PA", "AP", "lateral"}
    assert all(film.position == 0.5 and not film.description.plane for film in films)
    for word in ("sex", "age_band", "finding"):
        values = {getattr(example.description, word) for example in heads + chests}
        assert "" in values  # sometimes unknown
        assert len(values) > 2


def test_bodies_fill_most_of_the_frame(heads: list[Example]) -> None:
    fills = []
    for example in heads:
        assert example.mask is not None
        if example.description.plane == "axial" and 0.45 < example.position < 0.7:
            rows = np.flatnonzero((example.mask > 0).any(axis=1))
            fills.append((rows[-1] - rows[0] + 1) / SIZE)
    assert 0.75 < np.mean(fills) < 1.0
    assert np.std(fills) > 0.02


def test_ct_air_lung_and_bone_have_their_hounsfield_units(chests: list[Example]) -> None:
    checked = 0
    for example in chests:
        if example.description.modality != "CT":
            continue
        hu, mask = model_to_hounsfield(example.image), example.mask
        assert mask is not None
        lung = hu[mask == LABEL["lung"]]
        if lung.size > 100:
            assert np.median(lung) < -500
            checked += 1
        bone = hu[mask == LABEL["bone"]]
        if bone.size > 40:
            # Thick slices mix thin ribs with their surroundings; their cores stay bone.
            assert np.percentile(bone, 90) > 100
        assert np.median(hu[mask == 0]) < -900
    assert checked > 3


def test_lungs_are_dark_on_films(chests: list[Example]) -> None:
    contrasts = []
    for example in chests:
        if example.description.view in ("PA", "AP"):
            mask = example.mask
            assert mask is not None
            lung = example.image[mask == LABEL["lung"]].mean()
            contrasts.append(example.image[mask == LABEL["heart"]].mean() - lung)
    assert np.mean(np.array(contrasts) > 0.1) > 0.95
    assert np.mean(contrasts) > 0.5


def test_the_heart_lies_on_the_patients_left(chests: list[Example]) -> None:
    """Column 0 is the patient's right: the heart's apex is in the image's right half."""
    sides = []
    for example in chests:
        description = example.description
        if description.view in ("PA", "AP") or (
            description.plane == "axial" and 0.35 < example.position < 0.5
        ):
            assert example.mask is not None
            body = np.nonzero(np.isin(example.mask, (LABEL["lung"], LABEL["lesion"])))[1]
            heart = np.nonzero(example.mask == LABEL["heart"])[1]
            if body.size and heart.size > 30:
                sides.append(heart.mean() - (body.min() + body.max()) / 2)
    assert np.mean(np.array(sides) > 0) > 0.9


def test_paired_slices_show_one_place_in_every_contrast() -> None:
    drawn = sample_paired_slices(np.random.default_rng(1), "head", image_size=SIZE, count=3)
    assert len(drawn) == 15
    assert sum((each.mask == LABEL["brain"]).sum() > 200 for each in drawn[::5]) >= 2
    for ct, t1, t2, *any_mr in (drawn[first : first + 5] for first in (0, 5, 10)):
        assert [each.description.modality for each in (ct, t1, t2)] == list(CONTRASTS)
        assert [each.description.modality for each in any_mr] == ["MR", "MR"]
        assert {each.position for each in (t1, t2, *any_mr)} == {ct.position}
        np.testing.assert_array_equal(ct.mask, t1.mask)
        bone = ct.mask == LABEL["bone"]
        brain = ct.mask == LABEL["brain"]
        # At the base of the skull the few pixels of brain are half bone.
        if brain.sum() > 200:
            assert ct.image[bone].mean() > ct.image[brain].mean() + 0.2
            # Two MR of sequences that nobody knows differ.
            assert np.abs(any_mr[0].image - any_mr[1].image).mean() > 0.02
            assert t1.image[bone].mean() < t1.image[brain].mean()
