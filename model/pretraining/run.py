"""The three stages of making a base: images, autoencoder, denoiser. Each can be resumed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from diffusers import AutoencoderKL

from ...common.files import replacing, write_atomically
from ...common.progress import Progress, no_progress
from ...errors import ConfigurationError
from ..example import Example
from ..generator import Generator, build_generator
from ..prompt import read_prompt
from ..settings import GeneratorSettings
from ..storage import generator_digest, load_generator, save_generator
from ..words.learnt import KEY as LEARNT
from ..words.learnt import Combination, Learnt, combinations_of
from .autoencoder import train_autoencoder
from .denoiser import train_denoiser
from .examples import ExampleBank, fill_bank
from .team import Team

#: A level of a U-Net's or an adapter's way down, at the start of a layer's name.
_LEVEL = re.compile(r"^(down_blocks\.|adapter\.body\.)(\d+)")


@dataclass(frozen=True, kw_only=True)
class PretrainPlan:
    """How a base is made.

    Attributes:
        examples: Images to draw.
        autoencoder_seconds: Training time of the autoencoder; 0 keeps that of ``start``.
        denoiser_seconds: Training time of U-Net and adapter.
        seed: Seed of images, weights and training.
        start: Generator to go on from, layer by layer where places and shapes agree; random
            weights without it.
        device: Where PyTorch trains.
    """

    examples: int = 20_000
    autoencoder_seconds: float = 1200.0
    denoiser_seconds: float = 3600.0
    seed: int = 0
    start: Path | None = None
    device: str = "cpu"


def pretrain(
    out: Path,
    draw: Callable[[np.random.Generator], list[Example]],
    settings: GeneratorSettings,
    plan: PretrainPlan,
    *,
    on_progress: Progress = no_progress,
    on_loss: Callable[[str, int, float], None] | None = None,
) -> Generator:
    """Make a base generator in ``out/generator``.

    A finished stage is kept in ``out`` (``examples.npz``, ``autoencoder/``) and not repeated
    when the command runs again with the plan that the stage was made by (``plan.json``).

    Processes that torchrun started together share the last stage; the first makes the others.

    Args:
        out: Folder to work in.
        draw: Makes the examples of one random made-up patient.
        settings: Size, kind of prediction and text encoder.
        plan: Amounts and times.
        on_progress: Told how many images are drawn.
        on_loss: Called with (stage, step, loss): a stage of training ends by time, not by steps.

    Raises:
        ConfigurationError: If there is no autoencoder to use, or ``out`` holds stages of
            another plan.
    """
    team = Team.join(plan.device)
    tell = on_progress if team.leads else no_progress
    report = (on_loss if team.leads else None) or (lambda stage, step, loss: None)
    generator = build_generator(settings, plan.seed)
    whole = plan.start is not None and take_up(generator, load_generator(plan.start))
    if not plan.autoencoder_seconds and not whole:
        raise ConfigurationError(
            "Without time for the autoencoder there is none to use.",
            hint="Start from a generator of the same size, or give it minutes.",
        )
    generator = generator.to(plan.device)
    if not team.leads:
        team.wait()  # what the first has made is then there to be loaded
    out.mkdir(parents=True, exist_ok=True)
    _keep_plan(out / "plan.json", settings, plan)
    bank = _stage_examples(out / "examples.npz", draw, plan, tell)
    if plan.autoencoder_seconds:
        _stage_autoencoder(out / "autoencoder", generator, bank, plan, report)
    if team.leads:
        team.wait()
    card = {
        "name": f"fedscan base, {settings.size}",
        "data": "Parametric phantoms only: made-up bodies from random solids and textures. "
        "No scan of any person was used, and no privacy was spent.",
        "training": {
            "command": f"fedscan pretrain --examples {plan.examples} "
            f"--autoencoder-minutes {plan.autoencoder_seconds / 60:g} "
            f"--denoiser-minutes {plan.denoiser_seconds / 60:g} --seed {plan.seed}"
            + ("" if plan.start is None else " --start with an earlier base"),
        },
        LEARNT: Learnt(_learnt(generator, bank)).to_card(),
    }

    def save() -> None:
        if team.leads:
            save_generator(generator, out / "generator", card, half_precision=True)

    train_denoiser(
        generator,
        bank,
        seconds=plan.denoiser_seconds,
        seed=plan.seed,
        team=team,
        on_step=lambda step, loss: report("denoiser", step, loss),
        on_pause=lambda _: save(),
    )
    save()
    return generator


def _learnt(generator: Generator, bank: ExampleBank) -> frozenset[Combination]:
    """Return what the images show together, as their captions say it."""
    captions = sorted(set(map(str, bank.captions)))
    readings = [read_prompt(caption, generator.words) for caption in captions]
    return frozenset(combinations_of(one.description for one in readings if one.description))


def _keep_plan(path: Path, settings: GeneratorSettings, plan: PretrainPlan) -> None:
    """Record what decides about the stages that are kept; refuse to go on with another plan."""
    values = {
        "size": settings.size,
        "examples": plan.examples,
        "seed": plan.seed,
        "start": None if plan.start is None else generator_digest(plan.start),
        "autoencoder_minutes": plan.autoencoder_seconds / 60,
    }
    if not path.exists():
        write_atomically(path, (json.dumps(values, indent=2) + "\n").encode())
        return
    earlier = json.loads(path.read_text())
    if differences := [name for name, value in values.items() if earlier.get(name) != value]:
        raise ConfigurationError(
            f"{path.parent} was begun with another value of {', '.join(differences)}.",
            hint="Give the same values to go on, or another folder to begin anew.",
        )


def take_up(generator: Generator, earlier: Generator) -> bool:
    """Copy every layer of the earlier generator that has the same place and shape.

    The levels of U-Net and adapter are counted from the coarsest: a finer one may be new.

    Args:
        generator: Changed in place.
        earlier: What it begins from.

    Returns:
        Whether the autoencoder is now the earlier one's.
    """
    fits = []
    finer = len(generator.unet.down_blocks) - len(earlier.unet.down_blocks)
    for new, old in (
        (generator.unet, earlier.unet),
        (generator.adapter, earlier.adapter),
        (generator.autoencoder, earlier.autoencoder),
    ):
        own = new.state_dict()
        theirs = {
            _LEVEL.sub(lambda match: f"{match[1]}{int(match[2]) + finer}", name): value
            for name, value in old.state_dict().items()
        }
        fitting = {
            name: value
            for name, value in theirs.items()
            if name in own and own[name].shape == value.shape
        }
        new.load_state_dict(fitting, strict=False)
        fits.append(len(fitting) == len(own) == len(theirs))
    if fits[-1]:
        generator.autoencoder.register_to_config(
            latents_mean=earlier.autoencoder.config.latents_mean,
            latents_std=earlier.autoencoder.config.latents_std,
        )
    return fits[-1]


def _stage_examples(
    path: Path,
    draw: Callable[[np.random.Generator], list[Example]],
    plan: PretrainPlan,
    on_progress: Progress,
) -> ExampleBank:
    if path.exists():
        return ExampleBank.load(path)
    bank = fill_bank(draw, plan.examples, seed=plan.seed, on_progress=on_progress)
    bank.save(path)
    return bank


def _stage_autoencoder(
    path: Path,
    generator: Generator,
    bank: ExampleBank,
    plan: PretrainPlan,
    report: Callable[[str, int, float], None],
) -> None:
    if (path / "config.json").exists():
        autoencoder = AutoencoderKL.from_pretrained(path).to(plan.device)
        generator.autoencoder = autoencoder.eval().requires_grad_(False)
        return
    train_autoencoder(
        generator,
        bank,
        seconds=plan.autoencoder_seconds,
        seed=plan.seed,
        on_step=lambda step, loss: report("autoencoder", step, loss),
    )
    with replacing(path) as draft:
        generator.autoencoder.save_pretrained(draft)
