"""The rare-class experiment tells images that teach from images that mislead."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.evaluation.measures.settings import EvaluationSettings
from fedscan.evaluation.measures.tasks import choose_tasks
from fedscan.evaluation.settings import ExaminationSettings
from fedscan.evaluation.utility.examine import draw_pool, examine_rare_class, rare_class
from fedscan.evaluation.utility.mixing import Pool, add_to_real, draw_few
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
    alone, added = add_to_real(
        task, 1, chests, {"true": pool(False), "swapped": pool(True)}, SETTINGS, EVALUATION
    )
    assert added["true"].auc.value > 0.9
    assert added["true"].auc_gain.value == pytest.approx(added["true"].auc.value - alone.auc.value)
    assert added["swapped"].auc_gain.high < 0
    assert added["swapped"].auc.value < added["true"].auc.value - 0.2
    assert len(alone.seed_aucs) == 2


def test_the_rare_class_is_rare_in_every_repetition(chests, task):
    assert rare_class(task, chests.train) in (0, 1)
    first, second = (draw_few(task, 1, chests.train, SETTINGS, seed) for seed in (0, 1))
    labels = task.labels([chests.train.descriptions[i] for i in first])
    assert np.bincount(labels).tolist() == [10, 2]
    assert set(first.tolist()) != set(second.tolist())


def test_a_section_shows_every_generator(subject):
    told = []
    section = examine_rare_class(
        subject,
        ExaminationSettings(real_images=8, synthetic_images=6, utility_seeds=2, utility_steps=10),
        EVALUATION,
        on_progress=lambda what, done, of: told.append((what, done / of)),
    )
    names = [row[0] for row in section.tables[0].rows]
    assert names == ["real images alone", "and fedscan", "and base"]
    found = {measure.name: measure for measure in section.measures}
    assert found["auc_gain"].low <= found["auc_gain"].value <= found["auc_gain"].high
    # The same weights drew both, so they must have drawn the same.
    assert section.tables[0].rows[1][1:] == section.tables[0].rows[2][1:]
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] < 1
    # Two repetitions of three classifiers: a long training is seen to move.
    assert sum(what == "training classifiers" for what, _ in told) == 6


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
    assert section.measures[0].value is None
