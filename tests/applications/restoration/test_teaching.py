"""Making a denoiser without the command: images are kept, and a wrong size is refused first."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fedscan.applications.restoration.denoiser import load_denoiser
from fedscan.applications.restoration.teaching import DenoiserPlan, make_denoiser
from fedscan.errors import ConfigurationError
from fedscan.phantoms.parametric import sample_examples

PLAN = DenoiserPlan(images=4, image_size=32, minutes=0.005, seed=3)


def draw(rng: np.random.Generator):
    return sample_examples(rng, image_size=32, per_volume=4)


def nobody(rng: np.random.Generator):
    raise AssertionError("images were drawn again")


def test_a_denoiser_is_made_and_a_second_one_is_trained_on_the_same_images(tmp_path: Path):
    counts, steps = [], []
    make_denoiser(
        PLAN,
        tmp_path,
        draw,
        on_progress=lambda what, done, of: counts.append((done, of)),
        on_step=lambda step, ratio: steps.append(step),
    )
    network = load_denoiser(tmp_path)
    assert network(torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16)).isfinite().all()
    assert counts[-1] == (4, 4)
    assert steps[0] == 0
    command = json.loads((tmp_path / "denoiser.json").read_text())["command"]
    assert command.endswith("--examples 4 --size 32 --minutes 0.005 --seed 3")
    make_denoiser(PLAN, tmp_path, nobody)


@pytest.mark.parametrize("size", [24, 33])
def test_a_size_that_the_network_cannot_take_is_refused(size: int):
    with pytest.raises(ConfigurationError, match=f"{size} pixels"):
        DenoiserPlan(image_size=size)
