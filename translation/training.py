"""Training a translator on pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from ..model.generator import Generator
from .pairs import Pairs
from .regression import build_unet, fit
from .translator import Translator, expected, expected_latents


@dataclass(frozen=True, kw_only=True)
class TranslatorPlan:
    """How long and how a translator is trained.

    Attributes:
        generator_steps: Optimiser steps of adapter and U-Net.
        refiner_steps: Optimiser steps of the refiner.
        batch_size: Pairs of one step of the generator.
        learning_rate: Of the generator, falling to zero.
        seed: Seed of batches and of the refiner's weights.
    """

    generator_steps: int = 300
    refiner_steps: int = 1000
    batch_size: int = 24
    learning_rate: float = 4e-4
    seed: int = 0


def train_translator(
    generator: Generator,
    pairs: Pairs,
    target: str,
    plan: TranslatorPlan,
    *,
    on_step: Callable[[str, int, int], None] | None = None,
) -> Translator:
    """Train a translator; the generator is changed in place, its autoencoder stays as it is.

    Args:
        generator: A base, or what a federation made of it.
        pairs: What to learn from.
        target: One of ``pairs.TARGETS``.
        plan: How long.
        on_step: Called with the stage, steps done and steps.
    """
    captions = [shown.caption() for shown in pairs.descriptions]
    sources = torch.from_numpy(pairs.sources)[:, None]
    targets = torch.from_numpy(pairs.targets)[:, None]
    wanted = torch.cat([generator.encode(part) for part in targets.split(64)])
    positions = torch.tensor(list(pairs.positions), dtype=torch.float32)
    trained = [*generator.unet.parameters(), *generator.adapter.parameters()]
    for parameter in trained:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(trained, lr=plan.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.generator_steps)
    rng = torch.Generator().manual_seed(plan.seed)
    for step in range(plan.generator_steps):
        rows = torch.randint(len(sources), (plan.batch_size,), generator=rng)
        text = generator.embed([captions[row] for row in rows])
        found = expected_latents(generator, sources[rows], text, positions[rows])
        loss = functional.mse_loss(found, wanted[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if on_step:
            on_step("generator steps", step + 1, plan.generator_steps)
    generator.requires_grad_(False)
    middle = expected(generator, sources, captions, list(pairs.positions))
    refiner = build_unet(2, plan.seed)
    fit(
        refiner,
        torch.cat([sources, middle], dim=1),
        targets,
        steps=plan.refiner_steps,
        seed=plan.seed,
        on_step=None if on_step is None else lambda at, of: on_step("refiner steps", at, of),
    )
    return Translator(generator=generator, refiner=refiner, target=target)
