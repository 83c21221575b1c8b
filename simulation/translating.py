"""Teaching a translator from patients of some folders, or from made-up ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..applications.translation.pairs import find_pairs
from ..applications.translation.training import TranslatorPlan, train_translator
from ..applications.translation.translator import save_translator
from ..client.data.dataset import SiteDataset
from ..common.progress import Progress, no_progress
from ..errors import ConfigurationError, DataError
from ..imaging.settings import DataSettings
from ..model.computing.devices import resolve_device
from ..model.example import Example
from ..model.storage import load_generator
from ..phantoms.parametric import sample_paired_slices

#: Slices taken of each made-up patient.
_MADE_UP_SLICES = 6


@dataclass(frozen=True, kw_only=True)
class TrainTranslatorRequest:
    """What a translator learns from; either scans or made-up patients.

    Attributes:
        generator: Folder of the generator.
        to: Contrast to translate to: CT, T1 or T2.
        out: Folder for translators, one below for each target.
        data: DICOM folders of patients scanned in both contrasts.
        made_up: Number of made-up patients, where there are no pairs.
        body_part: Part of the made-up patients: head, chest or abdomen.
        generator_steps: Steps of the generator.
        network_steps: Steps of the regression network.
        seed: Seed of the training.
        device: Where the generator computes.
    """

    generator: Path
    to: str
    out: Path
    data: Sequence[Path] = ()
    made_up: int = 0
    body_part: str = "head"
    generator_steps: int = 150
    network_steps: int = 1500
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if bool(self.data) == bool(self.made_up):
            raise ConfigurationError(
                "A translator learns either from scans (--data) or from made-up patients "
                "(--made-up).",
                hint="Made-up patients are for contrasts and body parts of which there are no "
                "pairs.",
            )


@dataclass(frozen=True, kw_only=True)
class TrainedTranslator:
    """A translator on disk.

    Attributes:
        folder: Where it lies.
        pairs: Pairs of slices that it has learnt from.
        share: How much the generator is heard beside the regression network, in [0, 1].
    """

    folder: Path
    pairs: int
    share: float


def teach_translator(
    request: TrainTranslatorRequest, *, progress: Progress = no_progress
) -> TrainedTranslator:
    """Train a translator and save it.

    Args:
        request: What it learns from.
        progress: Told what is being done, how much of it is done, and how much it is in all.

    Raises:
        ConfigurationError: If there is no such device.
        DataError: If there is a translator already, or there are no pairs.
        ModelError: If the generator cannot be loaded.
    """
    folder = request.out / request.to
    if folder.exists():
        raise DataError(f"{folder} exists already.", hint="Choose another --out.")
    place = resolve_device(request.device)
    generator = load_generator(request.generator).to(place)
    size = generator.image_size
    patients = _scanned(request, size, progress) if request.data else _made_up(request, size)
    pairs = find_pairs(patients, request.to)
    plan = TranslatorPlan(
        generator_steps=request.generator_steps,
        network_steps=request.network_steps,
        seed=request.seed,
    )
    translator = train_translator(generator, pairs, request.to, plan, on_progress=progress)
    save_translator(translator, folder)
    return TrainedTranslator(folder=folder, pairs=len(pairs.sources), share=translator.share)


def _scanned(
    request: TrainTranslatorRequest, image_size: int, progress: Progress
) -> list[list[Example]]:
    """Examples of each patient of some folders."""
    settings = DataSettings(image_size=image_size, holdout_fraction=0.0)
    with TemporaryDirectory() as cache:
        return [
            dataset.examples(key)
            for number, site in enumerate(request.data)
            for dataset in [
                SiteDataset.open(site, settings, Path(cache) / str(number), report=progress)
            ]
            for key in dataset.patients
        ]


def _made_up(request: TrainTranslatorRequest, image_size: int) -> Iterator[list[Example]]:
    """Examples of parametric patients, in every contrast."""
    rng = np.random.default_rng(request.seed)
    for _ in range(request.made_up):
        yield sample_paired_slices(
            rng, request.body_part, image_size=image_size, count=_MADE_UP_SLICES
        )
