"""A site's images as latents, encoded once and read from disk row by row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ...common.files import link_or_copy, replacing
from ...common.locks import in_turn
from ...common.progress import Progress, no_progress
from ...model.example import LatentRows
from ...model.generator import Generator
from ...model.training_rows import conditioned_rows, encode_images
from ..data.dataset import SiteDataset


class LatentCache:
    """Latents of a data set's patients under one autoencoder.

    The autoencoder is frozen and public, so encoding spends no privacy; done once, it makes
    each training step several times cheaper.
    """

    def __init__(
        self, dataset: SiteDataset, generator: Generator, root: Path, common: Path
    ) -> None:
        self._dataset = dataset
        self._generator = generator
        self._root = root
        self._common = common
        self._ready: set[str] = set()

    @classmethod
    def open(
        cls,
        dataset: SiteDataset,
        generator: Generator,
        cache_dir: Path,
        *,
        shared_folder: Path | None = None,
        report: Progress = no_progress,
    ) -> LatentCache:
        """Open the cache and encode the training patients that it lacks.

        Args:
            dataset: The site's data.
            generator: Its autoencoder encodes; caches of different ones are kept apart.
            cache_dir: As for the data set.
            shared_folder: Cache that has them already, or shall have them too; none but
                ``cache_dir`` by default.
            report: Told about progress.
        """
        place = Path("latents", generator.latents_digest()[:16])
        root, common = cache_dir / place, (shared_folder or cache_dir) / place
        for folder in (root, common):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        cache = cls(dataset, generator, root, common)
        with in_turn(root / ".lock"):
            for stale in root.glob(".*.tmp"):
                stale.unlink()
            for path in root.glob("*.safetensors"):  # of patients who are gone
                if path.stem not in dataset.patients:
                    path.unlink(missing_ok=True)
            for number, key in enumerate(dataset.train_patients, start=1):
                cache._ensure(key)
                report("latents", number, len(dataset.train_patients))
        return cache

    def count(self, key: str) -> int:
        """Number of rows of a patient."""
        return self._dataset.count(key)

    def rows(
        self,
        key: str,
        indices: Sequence[int] | None = None,
        *,
        rng: np.random.Generator | None = None,
    ) -> LatentRows:
        """Read a patient's rows.

        Args:
            key: The patient.
            indices: Which rows, repetition allowed; all by default.
            rng: If given, conditions are drawn as in training; see
                :func:`~fedscan.model.training_rows.conditioned_rows`.
        """
        examples = self._dataset.examples(key, indices)
        return conditioned_rows(self._generator, self._latents(key, indices), examples, rng=rng)

    def _path(self, key: str) -> Path:
        return _file(self._root, key)

    def _latents(self, key: str, indices: Sequence[int] | None) -> Tensor:
        self._ensure(key)
        with safe_open(self._path(key), framework="pt") as file:
            if indices is None:
                # A copy: what safetensors returns may be the mapped file itself.
                return file.get_tensor("latents").clone()
            latents = file.get_slice("latents")
            return torch.cat([latents[i : i + 1] for i in map(int, indices)])

    def _ensure(self, key: str) -> None:
        """Encode a patient unless a file of the very same images exists."""
        if key in self._ready:
            return
        path, content = self._path(key), self._dataset.content(key)
        if _made_from(path) != content:
            common = _file(self._common, key)
            if _made_from(common) == content:
                link_or_copy(common, path)
            else:
                self._encode(key, path, content)
                if common != path:
                    link_or_copy(path, common)
        self._ready.add(key)

    def _encode(self, key: str, path: Path, content: str) -> None:
        patient = self._dataset.patient(key)
        parts = []
        step = self._generator.images_at_once
        for start in range(0, len(patient), step):
            batch = patient.examples(range(start, min(start + step, len(patient))))
            parts.append(encode_images(self._generator, batch))
        with replacing(path) as temporary:
            # Written here and not by safetensors, whose errors do not say that a disk is full.
            temporary.touch(0o600)
            temporary.write_bytes(
                save({"latents": torch.cat(parts).contiguous()}, {"source": content})
            )


def _file(folder: Path, key: str) -> Path:
    return folder / f"{key}.safetensors"


def _made_from(path: Path) -> str:
    """Digest that a file of latents was made from; empty if there is none, or a damaged one."""
    try:
        with safe_open(path, framework="pt") as file:
            return str(file.metadata()["source"])
    except (OSError, SafetensorError, KeyError, TypeError):
        return ""
