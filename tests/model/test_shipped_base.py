"""Each condition moves what the shipped base makes in the direction asked."""

import numpy as np
import pytest
from fedscan.model.condition_sampling import edge_map
from fedscan.model.conditions import LABEL, spatial_conditions
from fedscan.model.sampling import sample
from fedscan.model.storage import load_generator, shipped_base

CT = "axial CT slice of the head, no finding"
COUNT = 4


@pytest.fixture(scope="module")
def base():
    return load_generator(shipped_base())


def draw(base, caption, *, position=0.6, spatial=None, seed=3):
    return sample(
        base,
        [caption] * COUNT,
        positions=[position] * COUNT,
        spatial=None if spatial is None else np.stack([spatial] * COUNT),
        steps=6,
        seed=seed,
    )


def area(images):
    return (images > -0.8).mean()


def test_the_caption_chooses_the_body_part_and_the_modality(base):
    head, chest = draw(base, CT), draw(base, "chest X-ray, PA view, no finding")
    assert area(chest) > area(head) + 0.2
    weighted = draw(base, "axial T1-weighted MR slice of the head, no finding")
    # Brain is nearly flat on CT, and has folds on MR.
    middle = (slice(None), slice(24, 40), slice(24, 40))
    assert weighted[middle].std() > 3 * head[middle].std()


def test_a_head_is_smaller_near_its_vertex(base):
    assert area(draw(base, CT, position=0.98)) < 0.6 * area(draw(base, CT, position=0.55))


def test_a_mask_sets_the_size_of_the_head(base):
    rows, columns = np.mgrid[:64, :64]
    areas = []
    for scale in (0.6, 1.0):
        inside = ((rows - 32) / (30 * scale)) ** 2 + ((columns - 32) / (24 * scale)) ** 2
        mask = np.zeros((64, 64), np.uint8)
        for limit, name in ((1.0, "body"), (0.85, "bone"), (0.7, "brain")):
            mask[inside < limit] = LABEL[name]
        areas.append(area(draw(base, CT, spatial=spatial_conditions((64, 64), mask=mask))))
    assert areas[0] < 0.75 * areas[1]


def test_a_lesion_lies_where_the_mask_says_and_is_as_bright_as_its_contrast_shows_it(base):
    rows, columns = np.mgrid[:64, :64]
    inside = ((rows - 32) / 29) ** 2 + ((columns - 32) / 23) ** 2
    healthy = np.zeros((64, 64), np.uint8)
    for limit, name in ((1.0, "body"), (0.86, "bone"), (0.72, "brain")):
        healthy[inside < limit] = LABEL[name]
    sides = [(rows - 30) ** 2 + (columns - column) ** 2 < 16 for column in (23, 41)]
    for modality, direction in (("T1-weighted MR", -1), ("T2-weighted MR", 1)):
        caption = f"axial {modality} slice of the head, lesion"
        left, right = (
            draw(
                base,
                caption,
                spatial=spatial_conditions(
                    (64, 64), mask=np.where(lesion, LABEL["lesion"], healthy).astype(np.uint8)
                ),
            )
            for lesion in sides
        )
        # What the lesion changes at its place, beside the same slice with it on the other side.
        assert direction * (left - right)[:, sides[0]].mean() > 0.08
        assert direction * (right - left)[:, sides[1]].mean() > 0.08


def test_known_pixels_and_edges_are_followed(base):
    given = draw(base, CT)[0]
    known = np.zeros((64, 64), bool)
    known[:, :32] = True
    free = draw(base, CT, seed=9)
    completed = draw(
        base, CT, spatial=spatial_conditions((64, 64), partial=given, known_pixels=known), seed=9
    )
    outlined = draw(base, CT, spatial=spatial_conditions((64, 64), edges=edge_map(given)), seed=9)

    def difference(images):
        return np.abs(images - given)

    assert difference(completed)[:, known].mean() < 0.7 * difference(free)[:, known].mean()
    assert difference(outlined).mean() < 0.85 * difference(free).mean()
