"""The whole way: training, the runs it is compared with, evaluation and report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.config.study import Study
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.composition import read_compositions
from fedscan.server.events import Event
from fedscan.server.job import COMPOSITIONS
from fedscan.simulation.events import EvaluationSkipped, StageProgress, StageStarted
from fedscan.simulation.run import simulate
from tiny_hospitals import write_hospitals

_SMALL = (
    "data.holdout_fraction=0.5",
    "federation.rounds=1",
    # So that a step without any patient is out of the question.
    "privacy.sample_rate=0.5",
    "local.steps=2",
    "evaluation.samples=16",
    "evaluation.samples_per_class=8",
    "evaluation.real_images=16",
    "evaluation.steps=2",
    "evaluation.classifier_steps=10",
    "evaluation.classifier_seeds=1",
    "evaluation.bootstrap=100",
    "evaluation.min_patients_per_class=2",
    "evaluation.gallery_prompts=1",
    "evaluation.gallery_columns=2",
)


@pytest.fixture(scope="module")
def two_hospitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    write_hospitals(folder, {"north": 10, "south": 10}, images=1)
    return folder


def test_the_generator_is_compared_with_what_privacy_and_federation_cost(
    two_hospitals: Path, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    events: list[Event] = []
    compared = [f"evaluation.{name}=true" for name in ("non_private", "single_site", "pooled")]
    study = make_study(*_SMALL, *compared, "privacy.composition_share=0.05")
    out = tmp_path / "out"
    result = simulate(study, two_hospitals, out, workers=1, progress=events.append)
    evaluation = result.results.evaluation
    assert evaluation is not None
    names = [one.name for one in evaluation.generators]
    assert names == ["base", "fedscan", "non-private", "single-site", "pooled"]
    assert len({one.distances.frechet for one in evaluation.generators}) == 5
    assert evaluation.reconstruction is not None
    assert [task.key for task in evaluation.tasks] == ["pneumonia"]
    assert all((out / "gallery" / s.file).exists() for g in evaluation.gallery for s in g.strips)
    page = (out / "report.html").read_text()
    assert "non-private" in page
    assert "pooled" in page
    assert [one.stage for one in events if isinstance(one, StageStarted)] == [
        "Reading the sites' scans",
        "Training",
        "Training without privacy",
        "Training at a single site",
        "Training on pooled data",
        "Evaluating",
    ]
    shares = [one.share for one in events if isinstance(one, StageProgress)]
    assert shares == sorted(shares)
    # Whom it was trained on was asked for at the end, and every site released it.
    assert set(read_compositions(out / "run" / COMPOSITIONS)) == {"north", "south"}
    # These comparisons spend nothing: they are not private, and no ledger says they are.
    assert not (out / "comparisons" / "pooled" / "site" / "ledger").exists()
    # A site alone pays as the site in the federation does, from a ledger of its own.
    paid = [
        LedgerView.read(folder).book.mechanisms()
        for folder in (out / "comparisons/single-site/site/ledger", out / "sites/north/ledger")
    ]
    assert len(paid[0]) == len(paid[1]) > 0


def test_a_generator_that_cannot_be_measured_is_reported_all_the_same(
    two_hospitals: Path, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    events: list[Event] = []
    study = make_study(*_SMALL, "data.holdout_fraction=0")
    result = simulate(study, two_hospitals, tmp_path, workers=1, progress=events.append)
    assert result.results.evaluation is None
    assert any(isinstance(one, EvaluationSkipped) for one in events)
    assert result.report.exists()
