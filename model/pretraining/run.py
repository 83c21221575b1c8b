"""The three stages of making a base: images, autoencoder, denoiser. Each can be resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ...common.files import replacing, write_atomically
from ...errors import ConfigurationError
from ..computing.memory import free_memory, in_words, measure_need, plan_passes
from ..generator import Generator, build_generator
from ..networks.block_autoencoder import BlockAutoencoder
from ..objective import num_train_timesteps
from ..prompt import read_prompt
from ..settings import GeneratorSettings, TrainableSettings
from ..storage import generator_digest, load_generator, save_generator
from ..words.learnt import KEY as LEARNT
from ..words.learnt import Learnt, combinations_of
from .autoencoder import train_autoencoder
from .batches import BATCH
from .denoiser import train_denoiser
from .examples import ExampleBank
from .pace import Duration
from .team import Team
from .watch import Report, Watch


@dataclass(frozen=True, kw_only=True)
class PretrainPlan:
    """How a base is made.

    Attributes:
        autoencoder: How long the autoencoder trains; ``None`` keeps that of ``start``.
        denoiser: How long U-Net and adapter train.
        seed: Seed of weights and training.
        start: Generator to go on from, as it is; random weights without it.
        device: Where PyTorch trains.
        doubled: Whether the base also learns images twice as large as its own, by the same weights.
        images: What the images are, in any JSON: a stage made of other images is not gone on with.
    """

    autoencoder: Duration | None = field(default_factory=lambda: Duration(seconds=1200.0))
    denoiser: Duration = field(default_factory=lambda: Duration(seconds=3600.0))
    seed: int = 0
    start: Path | None = None
    device: str = "cpu"
    doubled: bool = False
    images: Any = None


def pretrain(
    out: Path,
    collect: Callable[[int], ExampleBank],
    settings: GeneratorSettings,
    plan: PretrainPlan,
    card: Callable[[], Mapping[str, Any]],
    *,
    tell: Callable[[Report], None] | None = None,
    on_pause: Callable[[Generator, ExampleBank], None] | None = None,
) -> Generator:
    """Make a base generator in ``out/generator``.

    A finished stage is kept in ``out`` (``examples.npz``, ``autoencoder/``), and so is every few
    minutes the state of an unfinished one: the same call again goes on, at the step at which
    it was stopped. Where stages end by images seen, the weights are those of a run that never
    stopped, to the byte.

    Processes that torchrun started together share the last stage; the first makes the others.

    Args:
        out: Folder to work in.
        collect: Makes the images to train on, of so many pixels along a side.
        settings: Size, kind of prediction and text encoder; not used with ``plan.start``.
        plan: Amounts and times.
        card: Returns what the base's card states, once the images are collected: data, sources.
        tell: Called after every step.
        on_pause: Called with the generator, its averaged weights in place, and the images,
            every few minutes.

    Raises:
        ConfigurationError: If there is no autoencoder to use, a step does not fit the memory, or
            ``out`` holds stages of another plan.
        DataError: If a kept stage cannot be read.
    """
    team = Team.join(plan.device)
    if plan.start is None:
        generator = build_generator(settings, plan.seed)
    else:
        generator = load_generator(plan.start)
    _check_autoencoder(generator, plan)
    generator = generator.to(plan.device)
    _fit_memory(generator)
    if not team.leads:
        team.wait()  # what the first has made is then there to be loaded
    out.mkdir(parents=True, exist_ok=True)
    _keep_plan(out / "plan.json", settings, plan)
    side = generator.image_size * (2 if plan.doubled else 1)
    bank = _stage_examples(out / "examples.npz", lambda: collect(side))
    watch = Watch(tell, num_train_timesteps(generator)) if tell and team.leads else None
    if plan.autoencoder is not None:
        _stage_autoencoder(out, generator, bank, plan, plan.autoencoder, watch)
    if team.leads:
        team.wait()
    facts = {**card(), LEARNT: _learnt(generator, bank).to_card()}

    def save() -> None:
        if team.leads:
            save_generator(generator, out / "generator", facts, half_precision=True)

    def pause(step: int) -> None:
        save()
        if team.leads and on_pause:
            on_pause(generator, bank)

    train_denoiser(
        generator,
        bank,
        plan.denoiser,
        seed=plan.seed,
        state=out / "denoiser.pt",
        team=team,
        watch=watch,
        on_pause=pause,
    )
    save()
    return generator


def _fit_memory(generator: Generator) -> None:
    """Keep less of a step where the device's memory asks for it; refuse what it never holds.

    Raises:
        ConfigurationError: If a step takes more memory than there is.
    """
    need = measure_need(generator, TrainableSettings(subset="all"))
    free = free_memory(generator.device)
    twice = plan_passes(need, free, draws=BATCH, most=BATCH).twice
    least = need.training + BATCH * (need.row_computed_twice if twice else need.row)
    if least > free:
        raise ConfigurationError(
            f"A step takes {in_words(least)} of memory, and {in_words(free)} are free.",
            hint="Choose a smaller --size, or another --device.",
        )
    generator.compute_twice(twice)


def _learnt(generator: Generator, bank: ExampleBank) -> Learnt:
    """Return what the images show together, as their captions say it, and what the start learnt."""
    captions = sorted(set(map(str, bank.captions)))
    readings = [read_prompt(caption, generator.words) for caption in captions]
    combinations = combinations_of(one.description for one in readings if one.description)
    before = generator.learnt
    return (
        Learnt(frozenset(combinations))
        if before is None
        else replace(before, combinations=before.combinations | combinations)
    )


def _check_autoencoder(generator: Generator, plan: PretrainPlan) -> None:
    if plan.autoencoder is None and plan.start is None:
        raise ConfigurationError(
            "Without time for the autoencoder there is none to use.",
            hint="Start from a generator, or give it minutes or images.",
        )
    if plan.autoencoder is not None and not isinstance(generator.autoencoder, BlockAutoencoder):
        raise ConfigurationError(
            f"The autoencoder of {plan.start} is {type(generator.autoencoder).__name__}, which "
            "fedscan no longer trains.",
            hint="Give it no time, so that only the U-Net trains on, or begin a new base.",
        )


def _keep_plan(path: Path, settings: GeneratorSettings, plan: PretrainPlan) -> None:
    """Record what decides about the stages that are kept; refuse to go on with another plan."""
    values: dict[str, Any] = {
        "size": settings.size,
        "images": plan.images,
        "doubled": plan.doubled,
        "seed": plan.seed,
        "start": None if plan.start is None else generator_digest(plan.start),
        "autoencoder": None if plan.autoencoder is None else asdict(plan.autoencoder),
    }
    if not path.exists():
        write_atomically(path, (json.dumps(values, indent=2) + "\n").encode())
        return
    # Plans from before there were two sizes do not say it.
    before = {"doubled": False, **json.loads(path.read_text(encoding="utf-8"))}
    if differences := [name for name, value in values.items() if before.get(name) != value]:
        raise ConfigurationError(
            f"{path.parent} was begun with another value of {', '.join(differences)}.",
            hint="Give the same values to go on, or another folder to begin anew.",
        )


def _stage_examples(path: Path, collect: Callable[[], ExampleBank]) -> ExampleBank:
    if path.exists():
        return ExampleBank.load(path)
    bank = collect()
    bank.save(path)
    return bank


def _stage_autoencoder(
    out: Path,
    generator: Generator,
    bank: ExampleBank,
    plan: PretrainPlan,
    duration: Duration,
    watch: Watch | None,
) -> None:
    path = out / "autoencoder"
    if (path / "config.json").exists():
        autoencoder = BlockAutoencoder.from_pretrained(path).to(plan.device)
        generator.autoencoder = autoencoder.eval().requires_grad_(False)
        return
    state = out / "autoencoder.pt"
    train_autoencoder(generator, bank, duration, seed=plan.seed, state=state, watch=watch)
    with replacing(path) as target:
        generator.autoencoder.save_pretrained(target)
    state.unlink(missing_ok=True)
