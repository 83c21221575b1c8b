"""What a site's process keeps between rounds: the opened generator, scans and latents."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from ... import __version__
from ...errors import ModelError
from ...federation.protocol import Tensors
from ...imaging.labels.table import LabelTable, read_table
from ...imaging.settings import DataSettings
from ...model.generator import Generator
from ...model.settings import TrainableSettings, VocabularySettings
from ...model.storage import generator_digest, load_generator
from ...model.trainable import replace_tensors, select_trainable
from ...model.words.tables import study_words
from ...model.words.vocabulary import Vocabulary
from ..data.dataset import SiteDataset
from ..data.opt_out import OptOutList
from ..site import Site
from .latents import LatentCache


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenGenerator:
    """A loaded base. Its trainable tensors are set anew for every use; the rest never changes.

    Attributes:
        generator: The generator.
        parameters: What trains, by name.
        digest: Digest of the base it was loaded from.
    """

    generator: Generator
    parameters: dict[str, nn.Parameter]
    digest: str


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenData:
    """A site's scans, decoded and encoded.

    Attributes:
        dataset: The images.
        latents: The same, encoded by the study's autoencoder.
        digest: Digest of the very images that are trained on.
    """

    dataset: SiteDataset
    latents: LatentCache
    digest: str


@dataclass(frozen=True)
class Start:
    """What a study's warm-up changed in the base; equal if the digest is.

    Attributes:
        digest: Digest of the tensors.
        tensors: New values by parameter name.
    """

    digest: str
    tensors: Tensors = field(compare=False)


@lru_cache(maxsize=2)
def open_generator(
    base: Path, trainable: TrainableSettings, device: str, start: Start | None = None
) -> OpenGenerator:
    """Load a base, warmed up if the study is, and choose what trains; once per process."""
    generator = load_generator(base)
    if start is not None:
        replace_tensors(generator, start.tensors)
    parameters = select_trainable(generator, trainable)
    try:
        generator.to(device).eval()
    except RuntimeError as error:
        raise ModelError(
            f"The generator cannot be moved to device {device!r}.",
            hint="Give the node configuration a device that PyTorch finds, such as cpu or cuda.",
        ) from error
    return OpenGenerator(generator=generator, parameters=parameters, digest=generator_digest(base))


@lru_cache(maxsize=8)
def open_data(
    site: Site,
    settings: DataSettings,
    trainable: TrainableSettings,
    vocabulary: VocabularySettings,
) -> OpenData:
    """Open a site's scans and encode what is new; once per process and opt-out list.

    Raises:
        DataError: If the scans, the table of labels or the opt-out list cannot be used.
    """
    generator = open_generator(site.base, trainable, site.device).generator
    words = study_words(vocabulary, generator.words)
    dataset = SiteDataset.open(
        site.data,
        settings,
        site.cache,
        words=words,
        state_dir=site.state,
        labels=site_labels(site, words),
        opt_outs=OptOutList.read(site.opt_outs),
    )
    latents = LatentCache.open(dataset, generator, site.cache)
    # Not the data set's identity, which stays the same when scans are added.
    content = [[key, dataset.source(key)] for key in dataset.train_patients]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return OpenData(dataset=dataset, latents=latents, digest=digest)


def site_labels(site: Site, words: Vocabulary) -> LabelTable | None:
    """Read a site's table of labels, if it has one.

    Args:
        site: The site.
        words: The study's vocabulary, whose words the table may name.

    Raises:
        DataError: If it cannot be read or is no such table.
    """
    return read_table(site.labels, words, site.labels_by) if site.labels is not None else None


def software(site: Site) -> str:
    """Name what decides, with equal inputs, about a result's last bits."""
    device = site.device
    if device.startswith("cuda"):
        device = f"{device} {torch.cuda.get_device_name(device)}"
    return f"fedscan {__version__}, torch {torch.__version__}, {platform.machine()}, {device}"
