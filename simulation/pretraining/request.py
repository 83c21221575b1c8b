"""Making a base: what a caller asks for, and the making."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...common.progress import Progress, no_progress
from ...config.validation import validated
from ...errors import ConfigurationError
from ...model.architecture import ARCHITECTURES
from ...model.generator import Generator
from ...model.pretraining.examples import ExampleBank, fill_bank, join_banks
from ...model.pretraining.pace import Duration
from ...model.pretraining.run import PretrainPlan, pretrain
from ...model.pretraining.watch import Report
from ...model.settings import GeneratorSettings
from ...phantoms.parametric import sample_examples
from .collect import Collected, collect_public
from .copies import read_forbidden
from .source import PublicSource

#: Images of one made-up body: drawing a body costs more than another image of it.
_PER_BODY = 8


@dataclass(frozen=True, kw_only=True)
class PretrainRequest:
    """What a base is to be made of, and how.

    Attributes:
        size: One of ``model.architecture.ARCHITECTURES``; not used with ``start``.
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
        device: Where PyTorch trains.
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
    device: str = "cpu"


def pretrain_base(
    out: Path,
    request: PretrainRequest,
    *,
    on_progress: Progress = no_progress,
    on_report: Callable[[Report], None] | None = None,
    on_pause: Callable[[Generator, int], None] | None = None,
) -> Generator:
    """Make a base in ``out/generator``; see :func:`fedscan.model.pretraining.run.pretrain`.

    Args:
        out: Folder to work in.
        request: What to make.
        on_progress: Told how many images are collected.
        on_report: Told every step's losses.
        on_pause: Called every so often with the generator as it is and the step.

    Raises:
        ConfigurationError: If there is nothing to train on, or ``out`` was begun otherwise.
        DataError: If a folder cannot be read or says of no licence.
    """
    if not request.public and not (request.phantoms and request.phantom_weight):
        raise ConfigurationError(
            "There is nothing to train on.", hint="Name a folder with --data, or draw phantoms."
        )
    settings = validated(
        GeneratorSettings,
        {
            "size": request.size,
            "prediction": request.prediction,
            "text_encoder": request.text_encoder,
        },
        "The command",
    )
    image_size = ARCHITECTURES[settings.size].image_size
    collected = [source.check() for source in request.public]
    return pretrain(
        out,
        lambda: _bank(request, image_size, on_progress),
        settings,
        PretrainPlan(
            autoencoder=request.autoencoder,
            denoiser=request.denoiser,
            seed=request.seed,
            start=request.start,
            device=request.device,
            images=[
                request.phantoms,
                request.phantom_weight,
                *(source.as_plan() for source in request.public),
            ],
        ),
        _card(settings, request),
        tell=on_report,
        on_pause=on_pause,
    )
