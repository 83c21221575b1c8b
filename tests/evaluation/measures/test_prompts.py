from collections import Counter

import numpy as np
from fedscan.evaluation.measures.prompts import plan_prompts, topic
from fedscan.evaluation.measures.settings import EvaluationSettings
from fedscan.evaluation.measures.tasks import choose_tasks


def plan(real, **changes):
    settings = EvaluationSettings(**{"samples": 64, "samples_per_class": 8, **changes})
    tasks = choose_tasks(real, min_patients_per_class=4)
    return plan_prompts(real, tasks, settings), tasks


def test_prompts_have_the_composition_of_the_training_images(real):
    made, _ = plan(real, samples=len(real.train) * 2)
    wanted = Counter(real.train.descriptions)
    assert Counter(made.counterparts.descriptions) == {
        key: 2 * count for key, count in wanted.items()
    }
    pairs = set(zip(real.train.descriptions, real.train.positions.tolist(), strict=True))
    assert (
        set(zip(made.counterparts.descriptions, made.counterparts.positions.tolist(), strict=True))
        == pairs
    )


def test_every_class_has_enough_images(real):
    made, tasks = plan(real, samples=16, samples_per_class=40)
    labels = tasks[0].labels(made.counterparts.descriptions + made.extra.descriptions)
    assert np.bincount(labels).tolist() == [40, 40]
    plenty, _ = plan(real, samples=200, samples_per_class=8)
    assert len(plenty.extra) == 0


def test_gallery_prompts_are_those_of_held_out_images(real):
    made, _ = plan(real, gallery_prompts=2, gallery_columns=5)
    assert len(made.gallery) == 2
    indices = [index for row in made.gallery for index in row]
    assert made.gallery_prompts.descriptions == tuple(real.holdout.descriptions[i] for i in indices)
    assert made.gallery_prompts.positions.tolist() == real.holdout.positions[indices].tolist()
    findings = set()
    for row in made.gallery:
        topics = {topic(real.holdout.descriptions[index]) for index in row}
        assert len(topics) == 1
        findings.add(topics.pop().finding)
        assert len({real.holdout.patients[index] for index in row}) == len(row) == 5
    assert findings == {"no finding", "pneumonia"}


def test_plan_is_deterministic_and_all_parts_line_up(real):
    first, second = plan(real)[0], plan(real)[0]
    assert first.captions == second.captions
    assert np.array_equal(first.positions, second.positions)
    assert len(first.captions) == len(first.positions)
    assert plan(real, seed=1)[0].captions != first.captions
