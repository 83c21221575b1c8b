"""A disk that takes no more while scans are cached: an error of the system, which says so."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fedscan.client.data.dataset import SiteDataset
from fedscan.client.workspace.latents import LatentCache
from fedscan.imaging.settings import DataSettings
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings

SETTINGS = DataSettings(image_size=32, holdout_fraction=0.0)


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file of this process grow beyond a few bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_images_and_latents_fail_with_the_systems_words_and_are_made_later(
    tmp_path: Path, write_volume: Callable[..., object]
) -> None:
    volume = np.random.default_rng(0).integers(0, 900, (3, 32, 32)).astype(np.int16)
    write_volume(tmp_path / "scans", volume, PatientID="p", SeriesInstanceUID="1.2.3")

    def open_scans() -> SiteDataset:
        return SiteDataset.open(tmp_path / "scans", SETTINGS, tmp_path / "cache")

    def open_latents(dataset: SiteDataset) -> LatentCache:
        generator = build_generator(GeneratorSettings(size="tiny"))
        return LatentCache.open(dataset, generator, tmp_path / "cache")

    (tmp_path / "cache").mkdir()
    open_scans()  # makes the identity, which must be there
    for file in (tmp_path / "cache" / "examples").rglob("*.*"):
        file.unlink()
    with no_room(), pytest.raises(OSError) as full:  # noqa: PT011
        open_scans()
    assert full.value.errno == errno.EFBIG
    dataset = open_scans()
    with no_room(), pytest.raises(OSError) as full:  # noqa: PT011
        open_latents(dataset)
    assert full.value.errno == errno.EFBIG
    cache = open_latents(dataset)
    (key,) = dataset.train_patients
    assert len(cache.rows(key)) == 3
    assert not list((tmp_path / "cache").rglob("*.tmp"))
