"""Training the U-Net and the spatial adapter with every condition that fine-tuning uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from ..generator import Generator
from ..stable_diffusion.opening import add_adapter
from .averages import Averages
from .batches import BATCH, Batches
from .checkpoint import Checkpoint
from .examples import ExampleBank
from .optimizer import MuonAndAdam
from .pace import Duration, Pace
from .team import Team
from .watch import Watch


def train_denoiser(
    generator: Generator,
    bank: ExampleBank,
    duration: Duration,
    *,
    seed: int,
    state: Path,
    learning_rate: float = 3e-3,
    team: Team | None = None,
    watch: Watch | None = None,
    on_pause: Callable[[int], None] | None = None,
    pause_every: int = 500,
) -> None:
    """Fit U-Net and adapter; they end with the best average of their weights.

    The loss is :func:`diffusion_loss`, with more weight where there is a lesion, in bfloat16
    where the hardware multiplies that faster. Timesteps are drawn around the middle of the noise
    schedule (:func:`central_timesteps`).

    Args:
        generator: Trained in place; its autoencoder must be trained already.
        bank: Images with captions, positions, masks and chances, of the generator's size or
            twice as large: it then learns to draw both (:class:`Batches`).
        duration: When it ends, images and time before a stop included; an image of twice the
            size counts as four.
        seed: Seed of every draw. A step's draws come from it and the step's number alone.
        state: File that keeps the state of the training, and from which it goes on.
        learning_rate: Highest learning rate.
        team: The processes that train together, each with its own draws; this one without it.
        watch: Told every step's losses.
        on_pause: Called with the step every ``pause_every`` steps, the averaged weights in place.
        pause_every: See ``on_pause``.

    Raises:
        DataError: If ``state`` cannot be read, or is of another training.
    """
    team = team or Team()
    add_adapter(generator)
    assert generator.adapter is not None
    parameters = [*generator.unet.parameters(), *generator.adapter.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    generator.unet.train()
    ends = [*generator.unet.conv_in.parameters(), *generator.unet.conv_out.parameters()]
    optimizer = MuonAndAdam(parameters, ends, learning_rate)
    averages = Averages(parameters)
    batches = Batches(generator, bank, seed, team.rank)
    pace = Pace(
        duration, learning_rate, batch=BATCH * team.size, warm_up_steps=200, clock=team.clock
    )
    checkpoint = Checkpoint(state, parameters, optimizer, averages)
    checkpoint.restore(pace)
    for step, rate in pace:
        losses, timesteps = batches.losses(step)
        optimizer.zero_grad()
        losses.mean().backward()
        team.average_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step(rate)
        averages.step(step + 1)
        if watch:
            watch.denoised(pace, losses.detach(), timesteps)
        if (step + 1) % pause_every == 0:
            if team.leads:
                checkpoint.save(pace)
            if on_pause:
                with averages.in_place(0):
                    on_pause(step + 1)
    averages.settle(batches.judge)
    generator.requires_grad_(False).eval()
