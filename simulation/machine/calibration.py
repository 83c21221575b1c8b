"""Learning rate and clip norm that fit a base, found on made-up patients: no scan, no privacy.

The defaults suit the bases that fedscan makes. On a base of a billion weights the same numbers move
the layers that train by a quarter in one step. What they should be follows from the base: how long
the gradients of patients are, and how far a step of pure noise, which is what a private step mostly
is, moves the weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ...client.workspace.training_settings import descent_settings, loss_settings
from ...common.progress import Progress, no_progress
from ...config.study import Study
from ...errors import ConfigurationError
from ...evaluation.canaries.image_rows import image_loss
from ...evaluation.measures.image_sets import ImageSet
from ...model.computing.devices import resolve_device
from ...model.generator import Generator
from ...model.outline import read_image_sizes
from ...model.settings import TrainableSettings
from ...model.storage import load_generator
from ...model.trainable import select_trainable
from ...phantoms.parametric import sample_examples
from ...privacy.descent import Descent, DescentSettings
from ...privacy.gradients import patient_gradient
from ...privacy.stream import SecretStream
from ...server.fitting import require_fitting
from ...server.job import base_of
from ...server.progress.rounds import LARGEST_STEP

#: Share of made-up patients whose gradients are shorter than the clip norm: most are clipped.
_SHORTER = 0.3
_IMAGES_EACH = 4
#: Public randomness will do: nobody is protected by it.
_KEY = bytes(32)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was found on a base.

    Attributes:
        study: The study with the settings that fit it.
        norms: Smallest, middle and largest norm of a made-up patient's gradient.
        step_before: How far a step moved the weights as the study was, as a share of their length.
        step: The same as it is now.
    """

    study: Study
    norms: tuple[float, float, float]
    step_before: float
    step: float


def calibrate(
    study: Study, *, patients: int = 24, device: str = "auto", progress: Progress = no_progress
) -> Calibration:
    """Find learning rate, clip norm and the low-rank updates' start for a study's base.

    Args:
        study: The study; its base must be on this machine.
        patients: Made-up patients to look at.
        device: Where to compute: auto, cpu, cuda, cuda:N or mps.
        progress: Told how many patients were looked at.

    Raises:
        ConfigurationError: If the study does not fit its base, or uses another optimizer than Adam,
            whose steps do not depend on the gradients' length.
        ModelError: If the base cannot be opened.
    """
    if study.local.optimizer != "adam":
        raise ConfigurationError(
            f"local.optimizer is {study.local.optimizer!r}, which is not calibrated.",
            hint="Use adam.",
        )
    place, base = resolve_device(device), base_of(study)
    require_fitting(study, read_image_sizes(base))
    trainable = study.trainable.definite
    step_before = _step_share(_opened(study, place), trainable, descent_settings(study.local))
    if trainable.subset == "lora":
        trainable = replace(trainable, lora_start="by_width")
    generator = _opened(study, place)
    parameters = select_trainable(generator, trainable)
    norms = _norms(generator.to(place), parameters, study, patients, progress)
    clip_norm = _rounded(float(np.quantile(norms, _SHORTER)))
    rate, share = study.local.learning_rate, math.inf
    while share > LARGEST_STEP:
        # Nearly in proportion; a low-rank update's two factors move together, so it is tried.
        descent = replace(descent_settings(study.local), learning_rate=rate)
        share = _step_share(_opened(study, place), trainable, descent)
        if share > LARGEST_STEP:
            rate = _rounded(rate * min(0.9, LARGEST_STEP / share))
    return Calibration(
        study=replace(
            study,
            trainable=trainable,
            local=replace(study.local, learning_rate=rate),
            privacy=replace(study.privacy, clip_norm=clip_norm),
        ),
        norms=(min(norms), float(np.median(norms)), max(norms)),
        step_before=step_before,
        step=share,
    )


def _opened(study: Study, device: str) -> Generator:
    return load_generator(base_of(study), study.data.image_size).to(device).eval()


def _norms(
    generator: Generator,
    parameters: Mapping[str, nn.Parameter],
    study: Study,
    patients: int,
    progress: Progress,
) -> list[float]:
    """Return the length of the gradient of each made-up patient, as training will see it."""
    rng = np.random.default_rng(study.seed)
    examples = [
        (f"{number:05}", example)
        for number in range(patients)
        for example in sample_examples(
            rng, image_size=generator.image_size, per_volume=_IMAGES_EACH
        )
    ]
    loss = image_loss(generator, ImageSet.of(examples), loss_settings(study.local, study.privacy))
    stream, norms = SecretStream(_KEY, "calibration"), []
    for number in range(len(loss.patients)):
        gradient = patient_gradient(parameters, loss, number, stream)
        norms.append(
            math.sqrt(sum(float(part.square().sum()) for part in gradient if part is not None))
        )
        progress("patients", number + 1, patients)
    return norms


def _step_share(
    generator: Generator, trainable: TrainableSettings, descent: DescentSettings
) -> float:
    """Return how far one step of noise moves what trains, as a share of its length."""
    parameters = select_trainable(generator, trainable)
    before = {name: value.clone() for name, value in _weights(generator, parameters).items()}
    size = sum(value.numel() for value in parameters.values())
    noise = torch.randn(size, generator=torch.Generator().manual_seed(0)).to(generator.device)
    Descent(parameters, descent).step(noise)
    after = _weights(generator, parameters)
    moved_square = sum(float((after[name] - before[name]).square().sum()) for name in before)
    return math.sqrt(moved_square / sum(float(one.square().sum()) for one in before.values()))


def _weights(generator: Generator, parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """Return the weights that a training changes, low-rank updates put into their layers."""
    weights: dict[str, Tensor] = {}
    with torch.no_grad():
        for name, layer in generator.unet.named_modules():
            if hasattr(layer, "lora_A") and hasattr(layer, "get_delta_weight"):
                (adapter,) = layer.lora_A
                weights[name] = layer.base_layer.weight + layer.get_delta_weight(adapter)
    return weights or {name: value.detach() for name, value in parameters.items()}


def _rounded(value: float) -> float:
    """Round down to two digits, for people."""
    digits = 1 - math.floor(math.log10(value))
    return math.floor(value * 10**digits) / 10**digits
