import numpy as np
import pytest
from fedscan.evaluation.measures.bootstrap import balanced_accuracy, macro_auc
from fedscan.evaluation.measures.classifier import predict, train_classifier
from fedscan.evaluation.measures.settings import EvaluationSettings
from fedscan.evaluation.measures.tasks import Task
from fedscan.evaluation.measures.utility import TaskBench, score


def test_the_classifiers_of_several_seeds_answer_together(real):
    settings = EvaluationSettings(classifier_steps=10, classifier_seeds=2, bootstrap=100, seed=3)
    task = Task(key="pneumonia", field="finding", classes=("no finding", "pneumonia"))
    bench = TaskBench.of(task, real.holdout, settings)
    found = score(bench, real.train.images, real.train.descriptions, settings)

    labels = task.labels(real.train.descriptions)
    answers = [
        predict(
            train_classifier(real.train.images, labels, classes=2, steps=10, seed=seed),
            bench.images,
        )
        for seed in (3, 4)
    ]
    together = (answers[0] + answers[1]) / 2
    assert np.allclose(found.auc, macro_auc(together, bench.labels, bench.weights))
    assert np.allclose(found.accuracy, balanced_accuracy(together, bench.labels, bench.weights))
    alone = [macro_auc(answer, bench.labels, bench.weights)[0] for answer in answers]
    assert found.seed_aucs == pytest.approx(alone)
