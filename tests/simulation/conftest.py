from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.config.study import Study, load_study
from fedscan.simulation.run import SimulationResult, simulate
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
