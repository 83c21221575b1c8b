"""Plausible anatomy passes, invented anatomy does not, and masks are seen to be followed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from fedscan.errors import ModelError
from fedscan.evaluation.anatomy.examine import draw, examine_anatomy
from fedscan.evaluation.anatomy.following import follow
from fedscan.evaluation.anatomy.learning import learn_anatomy
from fedscan.evaluation.anatomy.plausibility import FILE, PlausibilityModel
from fedscan.evaluation.anatomy.rejection import TRIES, draw_plausible, seed_of_try
from fedscan.evaluation.anatomy.shapes import FEATURES, shape_features
from fedscan.evaluation.measures.settings import EvaluationSettings
from fedscan.evaluation.settings import ExaminationSettings
from fedscan.model.conditions import LABEL
from fedscan.model.description import Description
from fedscan.model.sampling import sample
from made_up_chests import chest

CHEST = Description(modality="X-ray", body_part="chest", view="PA")


@pytest.fixture(scope="module")
def model(chests) -> PlausibilityModel:
    return learn_anatomy(chests.train, chests.holdout, steps=60, rejected_share=0.1, seed=0).model


def judged(model, images):
    positions = np.full(len(images), 0.5, np.float32)
    return model.judge(np.stack(images), [CHEST] * len(images), positions)


def test_invented_anatomy_is_rejected_and_new_patients_are_not(model):
    rng = np.random.default_rng(5)
    real = judged(model, [chest(rng)[0] for _ in range(24)])
    one_lung = judged(model, [chest(rng, lungs=1)[0] for _ in range(12)])
    torn = judged(model, [np.roll(chest(rng)[0], 9, axis=1) for _ in range(12)])
    noise = judged(model, [rng.uniform(-1, 1, (32, 32)).astype(np.float32) for _ in range(6)])
    assert real.implausible.mean() < 0.4
    assert one_lung.implausible.all()
    assert torn.implausible.all()
    assert noise.implausible.all()
    assert np.nanmedian(one_lung.scores) > 3 * np.nanmedian(real.scores)


def test_kinds_of_images_that_were_not_learnt_are_not_judged(model):
    images = [chest(np.random.default_rng(5), lungs=1)[0]]
    positions = np.array([0.5], np.float32)
    other = model.judge(np.stack(images), [replace(CHEST, view="lateral")], positions)
    assert np.isnan(other.scores).all()
    assert not other.implausible.any()


def test_a_model_judges_alike_after_it_was_saved(model, tmp_path):
    rng = np.random.default_rng(6)
    images = [chest(rng, lungs=number % 3)[0] for number in range(6)]
    assert model.save(tmp_path).name == FILE
    again = PlausibilityModel.load(tmp_path)
    np.testing.assert_array_equal(judged(again, images).scores, judged(model, images).scores)
    assert again.threshold == model.threshold
    (tmp_path / FILE).write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="cannot be read"):
        PlausibilityModel.load(tmp_path)
    with pytest.raises(ModelError, match="There is no"):
        PlausibilityModel.load(tmp_path / "elsewhere")


def test_agreement_falls_with_the_overlap_and_distance_grows():
    given = np.zeros((3, 32, 32), np.uint8)
    given[:, 8:16, 8:16] = LABEL["lung"]
    found = np.stack([np.roll(given[0], shift, axis=1) for shift in (0, 4, 16)])
    agreement = follow(found, given)
    lung = LABEL["lung"] - 1
    np.testing.assert_allclose(agreement.dice[:, lung], [1.0, 0.5, 0.0])
    np.testing.assert_allclose(agreement.hausdorff[:, lung], [0.0, 4.0, 16.0])
    # What the mask lacks is not asked for.
    assert np.isnan(np.delete(agreement.dice, lung, axis=1)).all()
    np.testing.assert_allclose(agreement.by_image(), [1.0, 0.5, 0.0])


def test_an_organ_that_is_not_found_counts_as_missed():
    given = np.zeros((1, 32, 32), np.uint8)
    given[:, 8:16, 8:16] = LABEL["heart"]
    agreement = follow(np.zeros_like(given), given)
    assert agreement.by_image().tolist() == [0.0]
    assert np.isnan(agreement.distance_by_image()).all()


def test_shapes_say_how_much_how_many_and_where():
    mask = np.zeros((1, 32, 32), np.uint8)
    mask[0, 4:28, 4:28] = LABEL["body"]
    mask[0, 10:20, 6:10] = LABEL["lung"]
    mask[0, 10:20, 22:26] = LABEL["lung"]
    mask[0, 12:14, 23:25] = LABEL["lesion"]
    (found,) = shape_features(mask, np.zeros(1, np.float32), [CHEST])
    value = dict(zip(FEATURES, found, strict=True))
    assert value["lung pieces"] == 2
    assert value["lung area"] == pytest.approx(80 / 1024)  # a lesion is part of its lung
    assert value["lung asymmetry"] == pytest.approx(0.0)
    assert value["lung column"] == pytest.approx(0.0)
    assert value["lung row"] < 0  # above the centre
    assert np.isnan(value["heart row"])
    lateral = replace(CHEST, view="lateral")
    (found,) = shape_features(mask, np.zeros(1, np.float32), [lateral])
    assert np.isnan(found[FEATURES.index("lung asymmetry")])


class Obedient:
    """Draws for a subject just what the mask asks for."""

    def __init__(self, subject):
        self.seed = subject.seed

    def draw(self, captions, positions, *, seed, generator, spatial=None):
        rng = np.random.default_rng(seed)
        if spatial is None:
            return np.stack([chest(rng)[0] for _ in captions])
        lung, body = (spatial[:, LABEL[name] - 1] > 0 for name in ("lung", "body"))
        images = np.where(lung, -0.5, np.where(body, 0.5, -1.0))
        return (images + rng.normal(0, 0.1, images.shape)).clip(-1, 1).astype(np.float32)


def test_swapping_the_masks_is_seen(model, chests, subject):
    report = chests.holdout.select(range(12))
    masks = list(report.masks)
    # Every other body stands much further to the left, and belongs to another patient.
    masks[::4] = [np.roll(mask, -6, axis=1) for mask in masks[::4]]
    drawn = draw(Obedient(subject), None, model, report, replace(report, masks=tuple(masks)))
    assert drawn.own.by_image().mean() > 0.85
    assert drawn.own.by_image().mean() > drawn.mismatch.by_image().mean() + 0.03
    assert drawn.judgement.implausible.mean() < 0.5


def test_the_section_of_an_untrained_generator(subject):
    section = examine_anatomy(
        subject,
        ExaminationSettings(segmenter_steps=30, anatomy_images=16),
        EvaluationSettings(bootstrap=100),
    )
    found = {measure.name: measure for measure in section.measures}
    assert found["rejected_share"].low > 0.5
    assert found["mask_dice"].value < found["mask_dice_real"].value
    assert (subject.out / FILE).is_file()
    assert [row[0] for row in section.tables[0].rows] == [
        "real, held-out patients",
        "fedscan",
        "base",
    ]
    for figure in section.figures:
        assert (subject.out / figure.file).is_file()


def test_without_masks_nothing_is_claimed(subject):
    bare = replace(subject.real, train=replace(subject.real.train, masks=()))
    section = examine_anatomy(
        replace(subject, real=bare), ExaminationSettings(), EvaluationSettings()
    )
    assert "Not measured" in section.summary
    assert section.measures[0].value is None
    assert not (subject.out / FILE).exists()


def one_of_two_lungs(seed, bad):
    return chest(np.random.default_rng(seed), lungs=1 if bad else 2)[0]


def test_what_is_implausible_is_drawn_again(model):
    asked = []

    def draw(indices, attempt):
        asked.append(list(indices))
        # The second and the fourth image are right from the second try on.
        bad = {1, 3} if attempt == 0 else set()
        return np.stack([one_of_two_lungs(i + 10 * attempt, i in bad) for i in indices])

    kept = draw_plausible(draw, model, [CHEST] * 4, [0.5] * 4)
    assert asked[0] == [0, 1, 2, 3]
    assert {1, 3} <= set(asked[1])
    assert kept.rejections == sum(len(indices) for indices in asked) - 4
    assert not judged(model, kept.images).implausible.any()


def test_what_stays_implausible_is_an_error_and_so_is_what_was_not_learnt(model):
    tries = []

    def draw(indices, attempt):
        tries.append(attempt)
        return np.stack([one_of_two_lungs(i, True) for i in indices])

    with pytest.raises(ModelError, match="2 of 2 images stay implausible"):
        draw_plausible(draw, model, [CHEST] * 2, [0.5] * 2)
    assert tries == list(range(TRIES))
    for other in (None, replace(CHEST, view="lateral")):
        with pytest.raises(ModelError, match="cannot judge"):
            draw_plausible(draw, model, [other], [0.5])


def test_every_try_draws_other_noise(untrained):
    assert seed_of_try(7, 0) == 7
    images = [
        sample(untrained, ["chest X-ray"], seed=seed_of_try(0, attempt), steps=1)
        for attempt in range(4)
    ]
    assert all(np.abs(a - b).max() > 0 for a, b in pairwise(images))
