"""What a study takes is said from configurations alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.config.study import Study, load_study
from fedscan.errors import ConfigurationError
from fedscan.model.computing.memory import in_words
from fedscan.simulation.machine.memory_plan import plan_memory
from tiny_stable_diffusion import write_stable_diffusion
from typer.testing import CliRunner


def test_a_plan_needs_no_weights(tmp_path: Path) -> None:
    folder = tmp_path / "stable-diffusion"
    write_stable_diffusion(folder)
    sizes = {file: file.stat().st_size for file in folder.rglob("*.safetensors")}
    small, large, half = (
        plan_memory(
            load_study(None, [f"generator.base={folder}", f"data.image_size={size}", *more]), "cpu"
        )
        for size, more in ((64, []), (128, []), (64, ["trainable.frozen_weights=bfloat16"]))
    )
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    assert small.weights == pytest.approx(sum(sizes.values()), rel=0.2)
    assert small.row * 2 < large.row
    assert half.weights < small.weights - sizes[unet] / 3
    assert half.row < small.row
    assert small.fits
    assert small.numbers == large.numbers > 0


def test_the_command_says_it(make_study: Callable[..., Study], base: Path) -> None:
    words = ["memory", "--set", f"generator.base={base}", "--set", "data.image_size=32"]
    result = CliRunner().invoke(app, [*words, "--json"])
    document = json.loads(result.stdout)
    assert document["rows"] >= 4
    assert document["update"] == 4 * document["numbers"]
    with pytest.raises(ConfigurationError, match="the base generates 32 pixels"):
        plan_memory(make_study("data.image_size=64"), "cpu")


def test_sizes_are_written_for_people() -> None:
    assert [in_words(size) for size in (2.5e9, 3.25e7, 1200)] == ["2.5 GB", "32.5 MB", "1.2 kB"]
