"""The rare-class experiment tells images that teach from images that mislead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fedscan.evaluation.measures.classifier import predict, train_classifier
from fedscan.evaluation.measures.settings import EvaluationSettings
from fedscan.evaluation.measures.tasks import choose_tasks, task_of_word
from fedscan.evaluation.settings import ExaminationSettings
from fedscan.evaluation.utility.examine import draw_pool, examine_rare_class
from fedscan.evaluation.utility.teaching import Pool, draw_few, teach_besides
from made_up_chests import chest

SETTINGS = ExaminationSettings(
    real_images=12, rare_share=0.2, synthetic_images=80, utility_seeds=2, utility_steps=30
)
EVALUATION = EvaluationSettings(bootstrap=100)


@pytest.fixture(scope="module")
def task(chests):
    return choose_tasks(chests, min_patients_per_class=8)[0]


def pool(swapped: bool) -> Pool:
    """New images of the same kind; on request each is called what the other is."""
    rng = np.random.default_rng(7)
    labels = np.arange(80) % 2
    words = ["no finding", "pneumonia"]
    images = [chest(rng, words[label])[0] for label in labels]
    return Pool(images=np.stack(images), labels=1 - labels if swapped else labels)


def test_true_images_help_and_swapped_ones_harm(chests, task):
    alone, taught = teach_besides(
        task, 1, chests, {"true": pool(False), "swapped": pool(True)}, SETTINGS, EVALUATION
    )
    for way in ("before", "together"):
        true, swapped = (getattr(taught[name], way) for name in ("true", "swapped"))
        assert true.auc.value > 0.9
        assert true.auc_gain.value == pytest.approx(true.auc.value - alone.auc.value)
        assert swapped.auc_gain.high < 0
        assert swapped.auc.value < true.auc.value - 0.2
    assert len(alone.seed_aucs) == 2


def test_what_was_learnt_before_is_not_changed_by_learning_more():
    images = pool(False)
    one = {"classes": 2, "steps": 20, "seed": 1}
    start = train_classifier(images.images, images.labels, **one)
    before = predict(start, images.images)
    later = train_classifier(images.images, 1 - images.labels, **one, start=start)
    assert np.array_equal(predict(start, images.images), before)
    assert not np.allclose(predict(later, images.images), before)


def test_the_rare_class_is_rare_in_every_repetition(chests, task):
    first, second = (draw_few(task, 1, chests.train, SETTINGS, seed) for seed in (0, 1))
    labels = task.labels([chests.train.descriptions[i] for i in first])
    assert np.bincount(labels).tolist() == [10, 2]
    assert set(first.tolist()) != set(second.tolist())


def test_a_section_shows_every_generator(subject):
    told = []
    section = examine_rare_class(
        subject,
        ExaminationSettings(
            rare_class="pneumonia",
            real_images=8,
            synthetic_images=6,
            utility_seeds=2,
            utility_steps=10,
        ),
        EVALUATION,
        on_progress=lambda what, done, of: told.append((what, done / of)),
    )
    names = [row[0] for row in section.tables[0].rows]
    assert names == [
        "real images alone",
        *("after fedscan", "mixed with fedscan", "after base", "mixed with base"),
    ]
    found = {measure.name: measure for measure in section.measures}
    for name in ("auc_gain", "pretrained_auc_gain"):
        assert found[name].low <= found[name].value <= found[name].high
    assert f"{found['pretrained_auc_gain'].value:+.3f}" in section.summary
    assert "the rare class “pneumonia”" in section.summary
    assert "Means of 2 repetitions" in section.summary
    # The same weights drew both, so they must have drawn the same.
    rows = section.tables[0].rows
    assert (rows[1][1:], rows[2][1:]) == (rows[3][1:], rows[4][1:])
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] < 1
    # Two repetitions of five classifiers: a long training is seen to move.
    assert sum(what == "training classifiers" for what, _ in told) == 10


def test_a_long_drawing_is_seen_to_move(subject, task, monkeypatch):
    monkeypatch.setattr("fedscan.evaluation.utility.examine._PER_DRAW", 2)
    told = []
    drawn = draw_pool(
        subject,
        subject.generator,
        task,
        5,
        on_progress=lambda what, done, of: told.append(done / of),
    )
    assert np.allclose(told, [0, 0.4, 0.8])
    assert np.bincount(drawn.labels).tolist() == [3, 2]
    assert len(drawn.images) == 5


def test_too_few_patients_are_said(subject):
    section = examine_rare_class(subject, SETTINGS, EvaluationSettings(min_patients_per_class=31))
    assert "Not measured" in section.summary
    assert "allow no classification task with 31 patients" in section.summary
    assert section.measures[0].value is None


@pytest.mark.parametrize("word", ["", "hernia"])
def test_the_rare_class_is_never_guessed(subject, word):
    section = examine_rare_class(subject, replace(SETTINGS, rare_class=word), EVALUATION)
    assert "Not measured" in section.summary
    assert "examination.rare_class" in section.summary
    assert "it can be: no finding, pneumonia." in section.summary


def test_a_finer_word_is_told_from_no_finding(chests):
    def finer(images):
        return replace(
            images,
            descriptions=tuple(
                replace(one, finding="other finding", findings=("fracture", "effusion"))
                if one.finding == "pneumonia"
                else one
                for one in images.descriptions
            ),
        )

    real = replace(chests, train=finer(chests.train), holdout=finer(chests.holdout))
    task = task_of_word("fracture", real, min_patients_per_class=8)
    assert task.classes == ("no finding", "fracture")
    labels = task.labels(real.train.descriptions)
    before = choose_tasks(chests, min_patients_per_class=8)[0].labels(chests.train.descriptions)
    assert np.array_equal(labels, before)
    assert task_of_word("fracture", chests, min_patients_per_class=8) is None
