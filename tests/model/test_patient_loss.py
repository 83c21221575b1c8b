"""What a patient's loss is the mean of: rows, timesteps and conditions, spread evenly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fedscan.model.description import Description
from fedscan.model.example import Example, LatentRows
from fedscan.model.generator import Generator, build_generator
from fedscan.model.patient_loss import (
    DiffusionLoss,
    LossSettings,
    spread_choice,
    spread_timesteps,
)
from fedscan.model.settings import GeneratorSettings
from fedscan.model.training_rows import conditioned_rows, encode_images
from hypothesis import given
from hypothesis import strategies as st


class Seeded:
    """Draws from a seed: what a secret stream is to a site."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def uniform(self, count: int) -> np.ndarray:
        return self._rng.random(count)

    def normal(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.from_numpy(self._rng.standard_normal(shape).astype(np.float32))

    def torch_seed(self) -> int:
        return int(self._rng.integers(2**62))


@given(seed=st.integers(0, 999), population=st.integers(1, 40), draws=st.integers(1, 90))
def test_no_row_is_drawn_again_before_all_were(seed, population, draws):
    counts = np.bincount(spread_choice(Seeded(seed), population, draws), minlength=population)
    assert counts.sum() == draws
    assert np.ptp(counts) <= 1


@given(
    seed=st.integers(0, 999),
    draws=st.integers(1, 50),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda pair: pair[0] < pair[1]),
)
def test_timesteps_are_spread_over_their_range(seed, draws, ends):
    low, high = ends
    found = spread_timesteps(Seeded(seed), draws, low=low, high=high, steps=1000).numpy()
    edges = (low + (high - low) * np.arange(draws + 1) / draws) * 1000
    assert (found >= np.clip(np.floor(edges[:-1]), 0, 999)).all()
    assert (found <= np.clip(np.ceil(edges[1:]), 0, 999)).all()


class Rows:
    """Three images of one patient."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        rng = np.random.default_rng(0)
        shown = Description(modality="CT", body_part="head", plane="axial")
        self._examples = [
            Example(
                image=rng.uniform(-1, 1, (32, 32)).astype(np.float32),
                description=shown,
                mask=rng.integers(0, 9, (32, 32)).astype(np.uint8),
            )
            for _ in range(3)
        ]
        self._latents = encode_images(generator, self._examples)

    def count(self, key: str) -> int:
        return len(self._examples)

    def rows(self, key: str, indices: list[int], *, rng: np.random.Generator) -> LatentRows:
        chosen = [self._examples[index] for index in indices]
        return conditioned_rows(self._generator, self._latents[indices], chosen, rng=rng)


@pytest.fixture(scope="module")
def loss() -> DiffusionLoss:
    generator = build_generator(GeneratorSettings(size="tiny"), seed=0).eval()
    return DiffusionLoss(
        generator=generator,
        source=Rows(generator),
        patients=("only",),
        settings=LossSettings(draws=40, timestep_low=0.3, timestep_high=0.4),
    )


def test_a_loss_is_a_function_of_weights_rows_and_draws(loss):
    assert torch.equal(loss(0, Seeded(1)), loss(0, Seeded(1)))
    assert not torch.equal(loss(0, Seeded(1)), loss(0, Seeded(2)))
    rows = loss.draw(0, Seeded(1))
    assert torch.equal(loss.row_losses(rows).mean(), loss(0, Seeded(1)))


def test_rows_show_what_training_shows(loss):
    latents, text, position, spatial, timesteps, noise = loss.draw(0, Seeded(3))
    assert len(latents) == len(position) == 40
    assert noise.shape == latents.shape
    assert timesteps.min() >= 300
    assert timesteps.max() < 400
    blank = loss.generator.embed([""])[0]
    assert 0 < sum(torch.equal(row, blank) for row in text) < 15
    shown = spatial.flatten(1).abs().sum(1) > 0
    assert 4 < int(shown.sum()) < 28
