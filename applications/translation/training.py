"""Training a translator on pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ...common.progress import Progress, no_progress
from ...model.generator import Generator
from ...model.stable_diffusion.opening import add_adapter
from .pairs import Pairs
from .regression import answer_both_ways, build_unet, fit
from .translator import Translator, expected, expected_latents

#: Patients held out to weigh the generator against the networks: one in so many.
_ONE_IN = 5


@dataclass(frozen=True, kw_only=True)
class TranslatorPlan:
    """How long and how a translator is trained.

    Attributes:
        generator_steps: Optimiser steps of adapter and U-Net.
        network_steps: Optimiser steps of the regression network.
        batch_size: Pairs of one step of the generator.
        learning_rate: Of the generator, falling to zero.
        seed: Seed of batches and of the network's weights.
    """

    generator_steps: int = 150
    network_steps: int = 1500
    batch_size: int = 24
    learning_rate: float = 4e-4
    seed: int = 0


def train_translator(
    generator: Generator,
    pairs: Pairs,
    target: str,
    plan: TranslatorPlan,
    *,
    on_progress: Progress = no_progress,
) -> Translator:
    """Train a translator; the generator is changed in place, its autoencoder stays as it is.

    One patient in five is held out from the generator and from a network like the one that
    answers: on them it is seen how much the generator knows that such a network does not.

    Args:
        generator: A base, or what a federation made of it.
        pairs: What to learn from.
        target: One of ``pairs.TARGETS``.
        plan: How long.
        on_progress: Told the stage and its steps.
    """
    patients = sorted(set(pairs.patients))
    validation_patients = set(patients[::-_ONE_IN]) if len(patients) > 1 else set()
    rows = range(len(pairs.sources))
    training_pairs = pairs.part(
        [row for row in rows if pairs.patients[row] not in validation_patients]
    )
    _teach(generator, training_pairs, plan, on_progress)
    network = _fitted(pairs, plan, "network steps", on_progress)
    translator = Translator(generator=generator, network=network, target=target)
    if not validation_patients:
        return translator
    held_out = pairs.part([row for row in rows if pairs.patients[row] in validation_patients])
    alike = _fitted(training_pairs, plan, "steps of a network to weigh against", on_progress)
    return replace(translator, share=_best_share(generator, alike, held_out))


def _fitted(pairs: Pairs, plan: TranslatorPlan, what: str, on_progress: Progress) -> nn.Module:
    network = build_unet(plan.seed)
    sources, targets = (torch.from_numpy(each)[:, None] for each in (pairs.sources, pairs.targets))
    fit(
        network,
        sources,
        targets,
        steps=plan.network_steps,
        seed=plan.seed,
        on_progress=on_progress,
        what=what,
    )
    return network


def _best_share(generator: Generator, network: nn.Module, pairs: Pairs) -> float:
    """Share of the generator, beside a network, that errs least on patients new to both."""
    sources, targets = (torch.from_numpy(each)[:, None] for each in (pairs.sources, pairs.targets))
    captions = [description.caption() for description in pairs.descriptions]
    plain = answer_both_ways(network, sources)
    towards = expected(generator, sources, captions, pairs.positions) - plain
    shares: list[float] = np.linspace(0, 1, 51).tolist()
    return min(shares, key=lambda share: float((plain + share * towards - targets).abs().mean()))


def _teach(
    generator: Generator,
    pairs: Pairs,
    plan: TranslatorPlan,
    on_progress: Progress,
) -> None:
    """Teach adapter and U-Net to expect a target given its source, in place."""
    captions = [description.caption() for description in pairs.descriptions]
    sources = torch.from_numpy(pairs.sources)[:, None]
    targets = torch.from_numpy(pairs.targets)[:, None]
    target_latents = torch.cat([generator.encode(part) for part in targets.split(64)])
    positions = torch.tensor(list(pairs.positions), dtype=torch.float32)
    add_adapter(generator)
    assert generator.adapter is not None
    parameters = [*generator.unet.parameters(), *generator.adapter.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(parameters, lr=plan.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.generator_steps)
    rng = torch.Generator().manual_seed(plan.seed)
    for step in range(plan.generator_steps):
        rows = torch.randint(len(sources), (plan.batch_size,), generator=rng)
        text = generator.embed([captions[row] for row in rows])
        estimate = expected_latents(generator, sources[rows], text, positions[rows])
        loss = functional.mse_loss(estimate, target_latents[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        on_progress("generator steps", step + 1, plan.generator_steps)
    generator.requires_grad_(False)
