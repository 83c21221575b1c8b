"""The denoising network: learns from made-up images, and serves images of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fedscan.applications.restoration import denoiser
from fedscan.applications.restoration.denoiser import (
    estimate_clean,
    load_denoiser,
    save_denoiser,
    shipped_denoiser,
)
from fedscan.applications.restoration.network import DenoisingNetwork
from fedscan.applications.restoration.training import train_network
from fedscan.cli.main import app
from fedscan.errors import ModelError
from fedscan.phantoms.parametric import sample_examples
from skimage.restoration import denoise_nl_means
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def shipped() -> DenoisingNetwork:
    return load_denoiser(shipped_denoiser())


def noise_of(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape, np.float32)


def error(found: np.ndarray, clean: np.ndarray) -> float:
    return float(np.square(found - clean).mean())


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.4])
def test_the_shipped_network_beats_non_local_means(shipped, sigma):
    rng = np.random.default_rng(7)
    drawn = [sample_examples(rng, image_size=64, per_volume=1, body_part=part)[0].image
             for part in ("head", "chest", "abdomen")]  # fmt: skip
    clean = np.stack(drawn)
    noisy = clean + np.float32(sigma) * noise_of(clean.shape)
    found = estimate_clean(shipped, noisy, np.full(clean.shape, sigma, np.float32))
    means = [denoise_nl_means(image, 5, 6, 0.8 * sigma, False, sigma) for image in noisy]
    assert error(found, clean) < 0.8 * error(np.stack(means), clean)


def test_noise_may_differ_from_pixel_to_pixel(shipped):
    clean = np.zeros((1, 64, 64), np.float32)
    sigma = np.full(clean.shape, 0.02, np.float32)
    sigma[:, :, :32] = 0.3
    # Stripes that are noise where there is much of it, and detail where there is none.
    noisy = clean + np.float32(0.15) * np.cos(np.arange(64, dtype=np.float32) * 2)
    found = estimate_clean(shipped, noisy, sigma)
    assert found[:, :, :24].std() < 0.5 * noisy[:, :, :24].std()
    assert error(found[:, :, 40:], noisy[:, :, 40:]) < 0.02**2


def test_brightness_and_noise_scale_together(shipped):
    noisy = 0.2 * noise_of((1, 32, 32))
    sigma = np.full(noisy.shape, 0.2, np.float32)
    found = estimate_clean(shipped, noisy, sigma)
    half = estimate_clean(shipped, (noisy + 1) / 2 - 1, sigma / 2)
    assert half == pytest.approx((found + 1) / 2 - 1, abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 17, 30), (2, 64, 64), (1, 90, 41)])
def test_images_of_any_size_are_taken_and_large_ones_in_parts(shipped, shape, monkeypatch):
    noisy = 0.2 * noise_of(shape)
    sigma = np.full(shape, 0.2, np.float32)
    whole = estimate_clean(shipped, noisy, sigma)
    assert whole.shape == shape
    monkeypatch.setattr(denoiser, "_PART", 32)
    assert estimate_clean(shipped, noisy, sigma) == pytest.approx(whole, abs=0.05)


def test_training_learns_and_what_is_saved_is_what_is_loaded(tmp_path):
    rng = np.random.default_rng(0)
    images = np.stack(
        [each.image for each in sample_examples(rng, image_size=32, per_volume=4, body_part="head")]
    )
    made = train_network(images, seconds=4.0, seed=0)
    sigma = np.full(images.shape, 0.4, np.float32)
    given = images + np.float32(0.4) * noise_of(images.shape)
    assert error(estimate_clean(made, given, sigma), images) < 0.97 * error(given, images)
    save_denoiser(made, tmp_path, {})
    kept = estimate_clean(load_denoiser(tmp_path), given, sigma)
    assert kept == pytest.approx(estimate_clean(made, given, sigma), abs=0.01)


def test_a_missing_or_damaged_network_is_said(tmp_path):
    with pytest.raises(ModelError, match="There is no denoiser"):
        load_denoiser(tmp_path)
    (tmp_path / "denoiser.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="cannot be opened"):
        load_denoiser(tmp_path)


def test_the_command_trains_one(tmp_path: Path):
    out = tmp_path / "denoiser"
    words = ("--examples", "8", "--size", "32", "--minutes", "0.01", "--seed", "3")
    result = CliRunner().invoke(app, ["train-denoiser", str(out), *words])
    assert result.exit_code == 0, result.output
    assert load_denoiser(out)(torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16)).isfinite().all()
    facts = (out / "denoiser.json").read_text()
    assert "--examples 8 --size 32 --minutes 0.01 --seed 3" in facts
    assert "no privacy was spent" in facts
    wrong = CliRunner().invoke(app, ["train-denoiser", str(out), "--size", "33"])
    assert wrong.exit_code == 2
