"""The examples run as they are, at a size that takes seconds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import save_generator
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.mechanism import SubsampledGaussian

FOLDER = Path(__file__).parents[1] / "examples"


def few_steps(folder: Path) -> list[str]:
    """Make a base of 32 pixels; return settings that start from it and take few steps."""
    save_generator(build_generator(GeneratorSettings(size="tiny")), folder / "base")
    return [
        f"generator.base={folder / 'base'}",
        "data.image_size=32",
        "federation.rounds=1",
        "federation.min_results=2",
        "local.steps=1",
    ]


def first_federation(folder: Path) -> list[str]:
    return [str(folder / "out"), *few_steps(folder)]


def own_hospitals(folder: Path) -> list[str]:
    write_hospitals(folder / "data", PhantomSettings(patients=(3, 3), contrasts=("CT",), slices=3))
    return [str(folder / "data"), str(folder / "out"), *few_steps(folder)]


def sample_with_masks(folder: Path) -> list[str]:
    save_generator(build_generator(GeneratorSettings(size="tiny"), seed=0), folder / "generator")
    return [str(folder)]


def read_ledger(folder: Path) -> list[str]:
    with Ledger.open(folder / "ledger", "ab" * 16, epsilon_ceiling=8, delta=1e-5) as ledger:
        step = SubsampledGaussian(sample_rate=0.1, noise_multiplier=2.0, steps=10)
        ledger.reserve("0" * 64, [step], purpose="round 1")
    return [str(folder / "ledger")]


#: What each example is called with; it may write into the folder it is given.
ARGUMENTS: dict[str, Callable[[Path], list[str]]] = {
    "first_federation": first_federation,
    "own_hospitals": own_hospitals,
    "read_ledger": read_ledger,
    "sample_with_masks": sample_with_masks,
}
#: What each says when all went well.
SAID = {
    "first_federation": "The generator is in",
    "own_hospitals": "The generator is in",
    "read_ledger": "epsilon so far",
    "sample_with_masks": "MONAI (1, 1, 32, 32)",
}


@pytest.mark.parametrize("example", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_the_example_runs(example: Path, tmp_path: Path) -> None:
    words = ARGUMENTS[example.stem](tmp_path)
    ran = subprocess.run(
        [sys.executable, str(example), *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert SAID[example.stem] in ran.stdout
