"""Making a base: what a caller asks for, and the making."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ...common.files import write_atomically
from ...common.progress import Progress, no_progress
from ...common.toml_settings import validated
from ...errors import ConfigurationError
from ...imaging.dicom.folder import digest_of, list_files
from ...imaging.labels.source import LabelReport
from ...model.computing.devices import resolve_device
from ...model.computing.memory import free_memory, in_words
from ...model.networks.architecture import ARCHITECTURES
from ...model.outline import read_image_sizes
from ...model.pretraining.examples import ExampleBank, fill_bank, join_banks
from ...model.pretraining.pace import Duration
from ...model.pretraining.run import PretrainPlan, pretrain
from ...model.pretraining.watch import Report
from ...model.settings import GeneratorSettings
from ...model.storage import generator_digest
from ...model.words.tables import shipped_words
from ...phantoms.parametric import sample_examples
from .collect import Collected, collect_public
from .credits import Credit
from .sheet import write_sheet
from .source import PublicSource

#: Images of one made-up body: drawing a body costs more than another image of it.
_PER_BODY = 8


@dataclass(frozen=True, kw_only=True)
class PretrainRequest:
    """What a base is to be made of, and how.

    Attributes:
        size: One of ``model.networks.architecture.ARCHITECTURES``; not used with ``start``.
        prediction: ``v_prediction`` or ``epsilon``.
        text_encoder: ``minilm``, or the name or path of a Hugging Face encoder.
        public: Public images, each folder with its weight.
        never: Folders whose images and patients must not be trained on.
        phantoms: Images of made-up bodies to draw.
        phantom_weight: How often these are drawn, against the weights of ``public``.
        autoencoder: How long the autoencoder trains; ``None`` keeps that of ``start``.
        denoiser: How long U-Net and adapter train.
        seed: Seed of images, weights and training.
        start: Generator to go on from, as it is.
        doubled: Whether the base also learns to draw images of twice its size.
        device: Where PyTorch trains: auto, cpu, cuda, cuda:N or mps.
    """

    size: str = "small"
    prediction: str = "v_prediction"
    text_encoder: str = "minilm"
    public: tuple[PublicSource, ...] = ()
    never: tuple[Path, ...] = ()
    phantoms: int = 20_000
    phantom_weight: float = 1.0
    autoencoder: Duration | None = field(default_factory=lambda: Duration(seconds=1200.0))
    denoiser: Duration = field(default_factory=lambda: Duration(seconds=3600.0))
    seed: int = 0
    start: Path | None = None
    doubled: bool = False
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Base:
    """A finished base.

    Attributes:
        folder: The generator.
        images: Images that it was trained on, by folder and source.
        left_out: Images that ``never`` left out, by reason.
        set_aside: Files (or blank slices) that could not be used, by folder and reason.
        labels: How the table that was used fits, by folder; of folders with a table.
    """

    folder: Path
    images: Mapping[str, int]
    left_out: Mapping[str, int]
    set_aside: Mapping[str, Mapping[str, int]]
    labels: Mapping[str, LabelReport]


def pretrain_base(
    out: Path,
    request: PretrainRequest,
    *,
    on_progress: Progress = no_progress,
    on_collected: Callable[[Collected], None] = lambda _: None,
    on_report: Callable[[Report], None] | None = None,
) -> Base:
    """Make a base in ``out/generator``; see :func:`fedscan.model.pretraining.run.pretrain`.

    A sheet of samples, ``out/samples.png``, is drawn anew whenever the state is kept.

    Args:
        out: Folder to work in.
        request: What to make.
        on_progress: Told how many images are collected.
        on_collected: Told what was read, before the training begins; not of one that goes on.
        on_report: Told every step's losses.

    Returns:
        The base, and what it was made of.

    Raises:
        ConfigurationError: If there is nothing to train on, no such device, or ``out`` was begun
            otherwise.
        DataError: If a folder cannot be read or says of no licence.
    """
    if not request.public and not (request.phantoms and request.phantom_weight):
        raise ConfigurationError(
            "There is nothing to train on.", hint="Name a folder with --data, or draw phantoms."
        )
    device = resolve_device(request.device)
    settings = validated(
        GeneratorSettings,
        {
            "size": request.size,
            "prediction": request.prediction,
            "text_encoder": request.text_encoder,
        },
        "The command",
    )
    credit = [one for source in request.public for one in source.credits()]
    facts = out / "sources.json"

    public = [source.facts() for source in request.public]

    def collect(image_size: int) -> ExampleBank:
        words = shipped_words()
        collection = collect_public(
            request.public,
            words,
            image_size,
            never=request.never,
            report=on_progress,
        )
        if request.phantoms:
            _require_room(request.phantoms, image_size)
            made_up = fill_bank(
                lambda rng: sample_examples(rng, image_size=image_size, per_volume=_PER_BODY),
                request.phantoms,
                seed=request.seed,
                on_progress=on_progress,
            )
            collection.banks.append((request.phantom_weight, made_up))
            collection.images["phantoms"] = request.phantoms
        on_collected(collection)
        write_atomically(facts, json.dumps(_facts(collection, request), indent=2).encode())
        return join_banks(collection.banks)

    plan = PretrainPlan(
        autoencoder=request.autoencoder,
        denoiser=request.denoiser,
        seed=request.seed,
        start=request.start,
        device=device,
        doubled=request.doubled,
        images={
            "phantoms": [request.phantoms, request.phantom_weight],
            "public": public,
            "never": [digest_of(list_files(folder)) for folder in request.never],
        },
    )
    pretrain(
        out,
        collect,
        settings,
        plan,
        lambda: _card(
            settings, request, credit, public, json.loads(facts.read_text(encoding="utf-8"))
        ),
        tell=on_report,
        on_pause=lambda generator, bank: write_sheet(generator, bank, out / "samples.png"),
    )
    made_of = json.loads(facts.read_text(encoding="utf-8"))
    # Trainings that an earlier release began have no more on record than the images.
    return Base(
        folder=out / "generator",
        images=made_of["images"],
        left_out=made_of["left_out"],
        set_aside=made_of.get("set_aside", {}),
        labels={
            folder: LabelReport.from_plain(fit) for folder, fit in made_of.get("labels", {}).items()
        },
    )


def _require_room(images: int, side: int) -> None:
    """Refuse more images than the memory holds, before they are drawn."""
    # Half precision and a mask for each pixel; all of it twice while sources are joined.
    size, free = 2 * 3 * images * side**2, free_memory(torch.device("cpu"))
    if size > free:
        raise ConfigurationError(
            f"{images} made-up images of {side} pixels take {in_words(size)} of memory, and "
            f"{in_words(free)} are free.",
            hint=f"Draw fewer: --examples {int(images * free / size)}, for instance.",
        )


def _facts(collection: Collected, request: PretrainRequest) -> dict[str, Any]:
    left_out, refusals = {}, collection.refusals
    if request.never:
        left_out = {
            "equal or nearly equal to an image that must not be trained on": refusals.same,
            "of a patient who must not be trained on": refusals.patients,
        }
    return {
        "images": dict(collection.images),
        "left_out": left_out,
        "set_aside": collection.left_out,
        "labels": {folder: asdict(fit) for folder, fit in collection.labels.items()},
    }


def _card(
    settings: GeneratorSettings,
    request: PretrainRequest,
    credit: list[Credit],
    public: list[dict[str, Any]],
    facts: dict[str, Any],
) -> dict[str, Any]:
    """What the base's card says of its making: sources with licence, citation, count, digest."""
    if request.public:
        data = (
            "Public images of the sources below, and parametric phantoms. No privacy was spent: "
            "none of it may be anybody's private scan."
        )
    else:
        data = (
            "Parametric phantoms only: made-up bodies from random solids and textures. "
            "No scan of any person was used, and no privacy was spent."
        )
    side = ARCHITECTURES[settings.size].image_size
    if request.start:
        side = read_image_sizes(request.start)[0]
    card: dict[str, Any] = {"name": f"fedscan base, {side} pixels", "data": data}
    if request.public:
        credits = [f"{one.source}: {one.licence}. {one.citation}" for one in credit]
        card["sources"] = list(dict.fromkeys(credits))
        card["digests"] = {one["folder"]: one["digest"] for one in public}
    card["images"] = facts["images"]
    if facts["left_out"]:
        card["left_out"] = facts["left_out"]
    card["training"] = {
        "autoencoder": "that of the start" if not request.autoencoder else str(request.autoencoder),
        "denoiser": str(request.denoiser),
        "seed": request.seed,
        "start": "random weights" if request.start is None else generator_digest(request.start),
    }
    return card
