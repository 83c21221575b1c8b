from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from asked_hospital import Hospital
from fedscan.client.workspace import opened as workspace
from fedscan.config.study import Study, load_study
from fedscan.federation.protocol import RoundRequest
from fedscan.model.storage import generator_digest
from fedscan.server.terms import site_terms
from fedscan.simulation.run import SimulationResult, simulate
from site_homes import begin_anew
from tiny_generators import save_tiny_generator
from tiny_hospitals import write_hospitals


@pytest.fixture(scope="session")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hospitals with few patients."""
    folder = tmp_path_factory.mktemp("hospitals")
    write_hospitals(folder, {"north": 6, "south": 5, "west": 4})
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny generator with random weights."""
    return save_tiny_generator(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def make_study(base: Path) -> Callable[..., Study]:
    """A study that takes seconds; ``make_study("section.key=value", …)`` changes it."""

    def make(*changes: str) -> Study:
        settings = [
            f"generator.base={base}",
            "data.image_size=32",
            "data.holdout_fraction=0.3",
            "trainable.subset=attention",
            "privacy.clip_norm=1.0",
            "privacy.draws_per_patient=1",
            "local.steps=2",
            "privacy.statistics_share=0.1",
            "warm_up.enabled=true",
            "warm_up.images=16",
            "warm_up.steps=2",
            "federation.rounds=2",
            "evaluation.preview_prompts=['chest X-ray, PA view']",
        ]
        return load_study(None, [*settings, *changes])

    return make


@pytest.fixture(scope="session")
def finished(
    hospitals: Path, make_study: Callable[..., Study], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Study, SimulationResult]:
    """A finished run of the default tiny study, in this process; not to be changed."""
    out = tmp_path_factory.mktemp("finished") / "out"
    study = make_study()
    return out, study, simulate(study, hospitals, out, workers=1, evaluate=False)


@pytest.fixture
def same_secrets() -> Callable[[Path, Path], Path]:
    """Give a new run the sites of an old one, whose ledgers hold the secrets of its noise.

    The new run's requests are then repetitions: it must come to the same bytes, and its
    ledgers must not grow.
    """

    def copy(old: Path, new: Path) -> Path:
        shutil.copytree(old / "sites", new / "sites")
        for answers in (new / "sites").glob("*/answers"):
            shutil.rmtree(answers)  # they are to be made again
        return new

    return copy


@pytest.fixture
def hospital(tmp_path: Path, base: Path) -> Iterator[Hospital]:
    begin_anew()
    yield Hospital(tmp_path, base)
    begin_anew()


@pytest.fixture
def make_request(base: Path, make_study: Callable[..., Study]) -> Callable[..., RoundRequest]:
    def make(*changes: str, number: int = 1) -> RoundRequest:
        # Mostly the same steps in all: to plan their noise takes longer than to run them.
        study = make_study("federation.rounds=6", "local.steps=1", *changes)
        opened = workspace.open_generator(base, study.trainable, "cpu")
        tensors = {
            name: np.full(value.shape, 0.01, np.float32)
            for name, value in opened.parameters.items()
        }
        return RoundRequest(
            round=number,
            rounds=study.federation.rounds,
            base=generator_digest(base),
            terms=site_terms(study),
            tensors=tensors,
        )

    return make
