"""Volumes are judged by all slices of a scan: each slice can pass where the whole does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fedscan.evaluation.anatomy.shapes import ORGANS, shape_features
from fedscan.evaluation.anatomy.volume_findings import VolumeFindings
from fedscan.evaluation.anatomy.volumes import (
    VOLUME_QUANTITIES,
    draw_scans,
    find_scans,
    learn_volumes,
    outside,
    volume_features,
)
from fedscan.evaluation.measures.image_sets import ImageSet
from fedscan.evaluation.measures.settings import EvaluationSettings
from fedscan.model.conditions import LABEL
from fedscan.model.description import Description

HEAD = Description(modality="CT", body_part="head", plane="axial")
POSITIONS = np.linspace(0.3, 0.7, 4).astype(np.float32)


def head(rng, *, radius=5.0, shift=0.0):
    """Four slices of a head with a brain of some size in each half."""
    rows, columns = np.mgrid[:32, :32]
    masks = np.zeros((4, 32, 32), np.uint8)
    size = radius + rng.normal(0, 0.3)
    for mask, position in zip(masks, POSITIONS, strict=True):
        mask[((rows - 15.5) / 14) ** 2 + ((columns - 15.5) / 14) ** 2 < 1] = LABEL["body"]
        own = size * (1 - abs(position - 0.5 - shift))
        for centre in (9.5, 21.5):
            mask[(rows - 15.5) ** 2 + (columns - centre) ** 2 < own**2] = LABEL["brain"]
    return masks


def measured(heads):
    """The images of some heads, their scans, and the scans' numbers."""
    count = len(heads)
    images = ImageSet(
        images=np.zeros((4 * count, 32, 32), np.float32),
        descriptions=(HEAD,) * (4 * count),
        positions=np.tile(POSITIONS, count),
        patients=tuple(f"p{number:03}" for number in range(count) for _ in range(4)),
    )
    scans = find_scans(images)
    shapes = shape_features(
        np.concatenate(heads), np.zeros(4 * count, np.float32), list(images.descriptions)
    )
    return images, scans, volume_features(shapes, images.positions, scans)


@pytest.fixture(scope="module")
def ranges():
    rng = np.random.default_rng(0)
    _, scans, features = measured([head(rng) for _ in range(60)])
    return learn_volumes(features, scans)


def beyond(ranges, heads, quantity):
    _, scans, features = measured(heads)
    place = ORGANS.index("brain") * len(VOLUME_QUANTITIES) + VOLUME_QUANTITIES.index(quantity)
    return outside(ranges, features, scans)[:, place]


def test_what_is_too_large_or_lies_elsewhere_or_is_one_sided_is_outside(ranges):
    rng = np.random.default_rng(1)
    usual = [head(rng) for _ in range(40)]
    for quantity in VOLUME_QUANTITIES:
        assert beyond(ranges, usual, quantity).mean() < 0.3
    assert beyond(ranges, [head(rng, radius=7.0)], "volume").all()
    assert beyond(ranges, [head(rng, shift=0.4)], "centre").all()
    one_sided = head(rng)
    one_sided[..., 16:][one_sided[..., 16:] == LABEL["brain"]] = LABEL["body"]
    assert beyond(ranges, [one_sided], "asymmetry").all()
    assert beyond(ranges, [one_sided], "pieces").all()
    gone = head(rng)
    gone[2][gone[2] == LABEL["brain"]] = LABEL["body"]
    assert beyond(ranges, [gone], "slices").all()


def test_organs_that_the_population_lacks_are_not_judged(ranges):
    _, scans, features = measured([head(np.random.default_rng(2))])
    found = outside(ranges, features, scans)[0].reshape(len(ORGANS), -1)
    assert np.isnan(found[ORGANS.index("lung")]).all()
    assert list(ranges) == ["CT, head, axial"]


def test_few_slices_are_no_scan_and_few_scans_no_range():
    images, scans, features = measured([head(np.random.default_rng(3)) for _ in range(5)])
    assert len(scans) == 5
    assert find_scans(images.select([0, 1, 4, 5])) == ()
    assert learn_volumes(features, scans) == {}


def test_the_findings_name_generator_and_range(ranges):
    rng = np.random.default_rng(4)
    _, scans, real = measured([head(rng) for _ in range(12)])
    _, _, large = measured([head(rng, radius=8.0) for _ in range(12)])
    found = VolumeFindings(
        name="fedscan",
        evaluation=EvaluationSettings(bootstrap=100),
        ranges=ranges,
        scans=scans,
        real=real,
        drawings={"fedscan": large, "base": real},
    )
    values = {measure.name: measure for measure in found.measures()}
    assert values["volume_outside_share"].low > values["volume_outside_real_share"].value
    assert [row[0] for row in found.tables()[0].rows][1:] == ["fedscan", "base"]
    brain = next(row for row in found.tables()[1].rows if row[1] == "brain")
    assert brain[4] > 2 * brain[3]
    assert "volumes" in found.summary()


def test_a_scan_is_drawn_from_noise_that_its_slices_share(subject, monkeypatch):
    images, scans, _ = measured([head(np.random.default_rng(5)) for _ in range(2)])
    seen = {}

    def draw(self, captions, positions, *, generator, noise):
        seen.update(captions=captions, positions=positions, noise=noise)
        return np.zeros((len(captions), 32, 32), np.float32)

    monkeypatch.setattr(type(subject), "draw", draw)
    assert len(draw_scans(subject, subject.generator, images, scans)) == 8
    assert seen["captions"] == [HEAD.caption()] * 8
    flat = seen["noise"].flatten(1)
    among = torch.corrcoef(flat)
    assert among[0, 1] > 0.1
    assert abs(among[3, 4]) < 0.4
