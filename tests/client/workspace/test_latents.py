"""Latents are encoded once and read row by row with their conditions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fedscan.client.data.dataset import SiteDataset
from fedscan.client.workspace.latents import LatentCache
from fedscan.imaging.settings import DataSettings
from fedscan.model.conditions import MASK_PRESENT
from fedscan.model.generator import Generator, build_generator
from fedscan.model.settings import GeneratorSettings


@pytest.fixture(scope="module")
def generator() -> Generator:
    return build_generator(GeneratorSettings(size="tiny"), seed=0).eval()


@pytest.fixture
def dataset(tmp_path, write_volume, generator) -> SiteDataset:
    for number in range(3):
        volume = np.random.default_rng(number).integers(0, 900, (5, 16, 16)).astype(np.int16)
        fields = {"PatientID": f"p{number}", "SeriesInstanceUID": f"1.2.{number}"}
        write_volume(tmp_path / "scans" / str(number), volume, **fields)
    settings = DataSettings(image_size=generator.image_size, holdout_fraction=0)
    return SiteDataset.open(tmp_path / "scans", settings, tmp_path / "cache")


def test_rows_are_the_encoded_images_with_their_captions(tmp_path, dataset, generator):
    cache = LatentCache.open(dataset, generator, tmp_path / "cache")
    for key in dataset.train_patients:
        examples = dataset.examples(key)
        rows = cache.rows(key)
        assert len(rows) == cache.count(key) == 5
        images = torch.from_numpy(np.stack([example.image for example in examples])[:, None])
        torch.testing.assert_close(rows.latents, generator.encode(images))
        captions = [example.description.caption() for example in examples]
        torch.testing.assert_close(rows.text, generator.embed(captions))
        assert rows.position.tolist() == pytest.approx([e.position for e in examples])
        assert rows.spatial is None
        picked = cache.rows(key, [4, 0, 4])
        torch.testing.assert_close(picked.latents, rows.latents[[4, 0, 4]])


def test_each_image_is_encoded_once_per_autoencoder(tmp_path, dataset, generator, monkeypatch):
    encoded = []
    encode = Generator.encode
    monkeypatch.setattr(
        Generator, "encode", lambda self, x: encoded.append(len(x)) or encode(self, x)
    )
    first = LatentCache.open(dataset, generator, tmp_path / "cache")
    again = LatentCache.open(dataset, generator, tmp_path / "cache")
    assert sum(encoded) == 15
    key = dataset.train_patients[0]
    assert torch.equal(first.rows(key).latents, again.rows(key).latents)
    other = build_generator(GeneratorSettings(size="tiny"), seed=1).eval()
    other.autoencoder.analysis.weight.data *= 1.1
    changed = LatentCache.open(dataset, other, tmp_path / "cache")
    assert sum(encoded) == 30
    assert not torch.equal(first.rows(key).latents, changed.rows(key).latents)


def test_a_damaged_file_is_encoded_again(tmp_path, dataset, generator):
    cache = LatentCache.open(dataset, generator, tmp_path / "cache")
    key = dataset.train_patients[0]
    expected = cache.rows(key).latents
    (path,) = (tmp_path / "cache" / "latents").rglob(f"{key}.safetensors")
    path.write_bytes(path.read_bytes()[:20])
    again = LatentCache.open(dataset, generator, tmp_path / "cache")
    assert torch.equal(again.rows(key).latents, expected)


def test_conditions_of_training_rows_are_drawn(tmp_path, dataset, generator):
    cache = LatentCache.open(dataset, generator, tmp_path / "cache")
    key = dataset.train_patients[0]
    many = [cache.rows(key, [0] * 8, rng=np.random.default_rng(seed)) for seed in range(20)]
    blank = generator.embed([""])[0]
    dropped = sum(torch.equal(text, blank) for rows in many for text in rows.text)
    assert 4 <= dropped <= 36, "a tenth of 160"
    shown = [rows.spatial for rows in many if rows.spatial is not None]
    assert shown
    assert not any(stack[:, MASK_PRESENT].any() for stack in shown), "there is no mask to show"
    same = cache.rows(key, [0] * 8, rng=np.random.default_rng(7))
    assert torch.equal(same.text, many[7].text)
