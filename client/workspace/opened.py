"""What a site's process keeps between rounds: the opened generator, scans and latents."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import platform
import shutil
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
from ...model.outline import size_taken
from ...model.settings import TrainableSettings, VocabularySettings
from ...model.storage import generator_digest, load_generator, weights_digest
from ...model.trainable import replace_tensors, select_trainable
from ...model.words.tables import study_words
from ...model.words.vocabulary import Vocabulary
from ..data.dataset import SiteDataset
from ..data.fixed_patients import fix_patients
from ..data.opt_out import OptOutList
from ..site import Site
from .latents import LatentCache

#: Studies whose images are kept as they were: those that a data set may take part in by turns.
_STUDIES_KEPT = 4
#: A base as it is, and as a study's warm-up changed it.
_MOST_GENERATORS = 2

#: What tells that a folder's files are untouched.
_State = tuple[tuple[str, int, int, int, int], ...]
#: The base that is open, and its files' state from before it was opened.
_base_states: dict[Path, _State] = {}


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenGenerator:
    """A loaded base. Its trainable tensors are set anew for every use; the rest never changes.

    Attributes:
        generator: The generator.
        parameters: What trains, by name.
        digest: Digest of the base it was loaded from.
        earlier: The same as earlier releases named it: studies that they began still do.
        start: What the study's warm-up changed in it.
    """

    generator: Generator
    parameters: dict[str, nn.Parameter]
    digest: str
    earlier: str
    start: Start | None = None

    def is_base(self, digest: str) -> bool:
        """Return whether a study that names its base by a digest starts from this one."""
        return digest in (self.digest, self.earlier)


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenData:
    """A site's scans, decoded and encoded.

    Attributes:
        dataset: The images.
        latents: The same, encoded by the study's autoencoder.
        listing: Digest of the names, sizes and times of the scans that are trained on.
    """

    dataset: SiteDataset
    latents: LatentCache
    listing: str


@dataclass(frozen=True)
class Start:
    """What a study's warm-up changed in the base; equal if the digest is.

    Attributes:
        digest: Digest of the tensors.
        tensors: New values by parameter name.
    """

    digest: str
    tensors: Tensors = field(compare=False)


def open_generator(
    base: Path,
    trainable: TrainableSettings,
    device: str,
    start: Start | None = None,
    image_size: int | None = None,
) -> OpenGenerator:
    """Load a base, warmed up if the study is, and choose what trains; once per process.

    Args:
        base: Its folder.
        trainable: What trains.
        device: Where it computes.
        start: What the study's warm-up changed.
        image_size: Side of the study's images in pixels; the base's own by default, and where it
            does not take that.

    Raises:
        ModelError: If the base cannot be opened, or not on this device.
    """
    # One form of the call for each generator: a second would be loaded a second time.
    size = size_taken(base, image_size)
    return _open_generator(base, trainable, device, start, size)


@lru_cache(maxsize=_MOST_GENERATORS)
def _open_generator(
    base: Path,
    trainable: TrainableSettings,
    device: str,
    start: Start | None,
    image_size: int,
) -> OpenGenerator:
    is_full = _open_generator.cache_info().currsize == _MOST_GENERATORS
    if is_full or _base_states.keys() - {base}:
        _forget_generators()  # room first, and then the next one
    _base_states.setdefault(base, _state_of(base))
    generator = load_generator(base, image_size)
    if start is not None:
        replace_tensors(generator, start.tensors)
    parameters = select_trainable(generator, trainable)
    try:
        generator.to(device).eval()
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            f"The generator cannot be moved to device {device!r}.",
            hint="Give the node configuration a device that PyTorch finds, such as cpu or cuda.",
        ) from error
    return OpenGenerator(
        generator=generator,
        parameters=parameters,
        digest=generator_digest(base),
        earlier=weights_digest(base),
        start=start,
    )


def forget_changed_base() -> None:
    """Close the base that is open if a file of it was touched; for a process that stays."""
    if any(not state or _state_of(base) != state for base, state in _base_states.items()):
        _forget_generators()


def forget_scans() -> None:
    """Forget what is open of scans, so that they are looked at anew; for a process that stays."""
    open_data.cache_clear()
    open_study_data.cache_clear()


def _forget_generators() -> None:
    _open_generator.cache_clear()
    _base_states.clear()
    gc.collect()  # networks refer to themselves


def _state_of(folder: Path) -> _State:
    """Return names, sizes, times and places of all files: who writes changes one. Else nothing."""
    try:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        stats = [path.stat() for path in files]
    except OSError:
        return ()
    return tuple(
        (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        for path, stat in zip(files, stats, strict=True)
    )


@lru_cache(maxsize=8)
def open_data(
    site: Site,
    settings: DataSettings,
    trainable: TrainableSettings,
    vocabulary: VocabularySettings,
) -> OpenData:
    """Open a site's scans as they are today and encode what is new; once per process.

    Raises:
        DataError: If the scans, the table of labels or the opt-out list cannot be used.
    """
    generator = open_generator(
        site.base, trainable, site.device, image_size=settings.image_size
    ).generator
    words = study_words(vocabulary, generator.words)
    dataset = _today(site, settings, words)
    latents = LatentCache.open(dataset, generator, site.cache)
    return OpenData(dataset=dataset, latents=latents, listing=_listing(dataset))


@lru_cache(maxsize=8)
def open_study_data(
    site: Site,
    study: str,
    settings: DataSettings,
    trainable: TrainableSettings,
    vocabulary: VocabularySettings,
) -> OpenData:
    """Open a site's scans as they were when a study began; once per process.

    Args:
        site: The site.
        study: Digest of the study.
        settings: How its scans become examples.
        trainable: Part of what names the site's opened generator.
        vocabulary: Which words its examples are described in.

    Raises:
        DataError: If the scans, the table of labels, the opt-out list or the study's list of
            patients cannot be used.
    """
    generator = open_generator(
        site.base, trainable, site.device, image_size=settings.image_size
    ).generator
    words = study_words(vocabulary, generator.words)
    today = _today(site, settings, words)
    own = site.study_cache(study)
    dataset = fix_patients(today, site.patients / f"{study}.json", own)
    latents = LatentCache.open(dataset, generator, own, shared_folder=site.cache)
    _make_room(own)
    return OpenData(dataset=dataset, latents=latents, listing=_listing(today))


def _today(site: Site, settings: DataSettings, words: Vocabulary) -> SiteDataset:
    return SiteDataset.open(
        site.data,
        settings,
        site.cache,
        words=words,
        state_dir=site.state,
        labels=site_labels(site, words),
        opt_outs=OptOutList.read(site.opt_outs),
    )


def _listing(dataset: SiteDataset) -> str:
    content = [[key, dataset.source(key)] for key in dataset.train_patients]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _make_room(newest: Path) -> None:
    """Forget the images of the studies that were asked for longest ago."""
    os.utime(newest)
    folders = sorted(newest.parent.iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    for old in folders[:-_STUDIES_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


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
