"""Enhancing: noise goes, the data stay, and the prior counts for as much as it knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fedscan.applications.restoration.denoise import denoise
from fedscan.applications.restoration.denoiser import load_denoiser, shipped_denoiser
from fedscan.applications.restoration.network import DenoisingNetwork
from fedscan.applications.restoration.noise_level import estimate_noise
from fedscan.applications.restoration.prior import Prior
from fedscan.applications.restoration.super_resolution import shrunk, super_resolve
from fedscan.model.generator import Generator, build_generator
from fedscan.model.networks.architecture import ARCHITECTURES, build_unet
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import load_generator, shipped_base
from fedscan.phantoms.parametric import parametric_volume, sample_examples
from skimage.restoration import denoise_nl_means
from torch.nn.functional import interpolate


@pytest.fixture(scope="module")
def base() -> Generator:
    return load_generator(shipped_base())


@pytest.fixture(scope="module")
def network() -> DenoisingNetwork:
    return load_denoiser(shipped_denoiser())


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    head = parametric_volume(np.random.default_rng(3), "head", (64, 64, 64), finding="no finding")
    return (np.clip(head.t1[[28, 34]], 0, 1.2) / 0.6 - 1).astype(np.float32)


def noisy_of(clean: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(clean.shape, np.float32)
    return clean + np.float32(sigma) * noise


def error(found: np.ndarray, clean: np.ndarray) -> float:
    return float(np.square(found - clean).mean())


@pytest.mark.parametrize("sigma", [0.1, 0.2])
def test_the_noise_of_an_image_is_estimated(clean, sigma):
    assert estimate_noise(noisy_of(clean, sigma)) == pytest.approx(sigma, rel=0.3)


def test_what_does_not_vary_has_no_noise():
    assert estimate_noise(np.full((1, 16, 16), -1000.0)) == 0


def test_denoising_beats_non_local_means_and_weighs_the_prior(base, network, clean):
    sigma = 0.2
    clean = clean[:1]
    noisy = noisy_of(clean, sigma)
    strength = np.full(noisy.shape, sigma, np.float32)
    steps: list[int] = []
    found = denoise(
        Prior(base), network, noisy, strength, on_progress=lambda what, done, of: steps.append(done)
    )
    pilot = np.stack(
        [
            denoise_nl_means(image, patch_size=5, h=0.9 * sigma, sigma=sigma, fast_mode=False)
            for image in noisy
        ]
    )
    assert error(found.images, clean) < 0.9 * error(pilot, clean)
    assert 0.0 <= found.prior_weight < 0.6
    assert steps == [1, 2]
    # Of this head, sharper than any scan, the prior may know nothing; of a chest film it does.
    [example] = sample_examples(np.random.default_rng(1), image_size=64, per_volume=1)
    assert example.description.modality == "X-ray"
    scan = noisy_of(example.image[None].astype(np.float32), sigma)
    assert 0.0 < denoise(Prior(base), network, scan, strength).prior_weight < 0.6
    # A prior that knows nothing is left out, by the noisy data alone.
    blind = Prior(build_generator(GeneratorSettings(size="tiny"), seed=0))
    part = np.index_exp[:, 16:48, 16:48]
    assert denoise(blind, network, noisy[part], strength[part]).prior_weight < 0.02


def test_what_a_generator_does_not_draw_stays_as_it_was():
    whole = build_generator(GeneratorSettings(size="tiny"), seed=0)
    size = replace(ARCHITECTURES["tiny"], drawn_channels=2)
    unet = build_unet(size, whole.caption_encoder.width)
    few = Generator(unet, whole.adapter, whole.autoencoder, whole.caption_encoder, whole.scheduler)
    images = np.random.default_rng(0).uniform(-0.3, 0.3, (2, 32, 32)).astype(np.float32)
    found = Prior(few).estimate(images, 0.5)
    before, after = (
        whole.encode(torch.from_numpy(each)[:, None]).numpy() for each in (images, found)
    )
    assert after[:, 2:] == pytest.approx(before[:, 2:], abs=1e-4)
    assert np.abs(after[:, :2] - before[:, :2]).max() > 1e-2


def test_no_noise_changes_nothing(base, network, clean):
    found = denoise(Prior(base), network, clean, np.zeros_like(clean))
    assert found.images is clean
    assert found.prior_weight == 0


def test_finer_pixels_agree_with_the_coarse_ones_and_beat_bicubic(base, network, clean):
    coarse = shrunk(clean, 2)
    found = super_resolve(Prior(base), network, coarse, 2)
    assert found.shape == clean.shape
    assert shrunk(found, 2) == pytest.approx(coarse, abs=1e-5)
    bicubic = interpolate(torch.from_numpy(coarse)[:, None], scale_factor=2, mode="bicubic")
    assert error(found, clean) < 0.8 * error(bicubic[:, 0].numpy(), clean)


@pytest.mark.parametrize("shape", [(1, 40, 90), (1, 64, 64), (2, 100, 65)])
def test_images_of_any_size_go_through_in_windows(base, shape):
    images = np.zeros(shape, np.float32)
    found = Prior(base, "axial CT slice of the head").estimate(images, 0.2)
    assert found.shape == shape
    assert np.isfinite(found).all()
    assert np.abs(found).mean() < 0.5
