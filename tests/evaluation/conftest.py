"""What the tests of examiners share: made-up chests and a generator that never learnt."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from fedscan.evaluation.measures.image_sets import ImageSet, RealSets
from fedscan.model.generator import Generator, build_generator
from fedscan.model.networks.architecture import ARCHITECTURES, build_adapter, build_unet
from fedscan.model.settings import GeneratorSettings
from made_up_chests import pairs
from made_up_heads import patients, trained


@pytest.fixture(scope="session")
def chests() -> RealSets:
    rng = np.random.default_rng(0)
    return RealSets(
        train=ImageSet.of(pairs(rng, "north/t", 60)),
        holdout=ImageSet.of(pairs(rng, "north/h", 40)),
    )


@pytest.fixture(scope="session")
def untrained():
    """A generator with random weights, of the chests' size."""
    return with_stock_autoencoder(seed=3)


@pytest.fixture
def subject(chests, untrained, tmp_path: Path):
    from fedscan.evaluation.subject import Subject

    return Subject(
        name="fedscan",
        generator=untrained,
        others={"base": untrained},
        real=chests,
        out=tmp_path,
        steps=1,
        guidance_scale=1.0,
    )


def with_stock_autoencoder(seed: int) -> Generator:
    """A tiny generator with an autoencoder of diffusers: bases from before have one."""
    tiny = build_generator(GeneratorSettings(size="tiny"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        size = ARCHITECTURES["tiny"]
        return Generator(
            build_unet(size, tiny.caption_encoder.width),
            build_adapter(size.unet_channels, size.block, size.layers_per_block),
            AutoencoderKL(
                in_channels=1,
                out_channels=1,
                down_block_types=("DownEncoderBlock2D",) * 3,
                up_block_types=("UpDecoderBlock2D",) * 3,
                block_out_channels=(8, 16, 16),
                layers_per_block=1,
                latent_channels=4,
                norm_num_groups=8,
                sample_size=32,
                mid_block_add_attention=False,
                scaling_factor=1.0,
            ),
            tiny.caption_encoder,
            tiny.scheduler,
        )


@pytest.fixture(scope="session")
def heads() -> RealSets:
    """Few patients to train on, and more of the same kind."""
    return RealSets(train=patients("train", 5, 1), holdout=patients("held", 24, 2))


@pytest.fixture(scope="session")
def start(heads: RealSets) -> Generator:
    """Random weights, and latents of the scale that a trained autoencoder gives them."""
    torch.set_num_threads(1)
    generator = with_stock_autoencoder(seed=3)
    latents = generator.encode(torch.from_numpy(heads.holdout.images)[:, None])
    scale = 1 / float(generator.autoencoder.config.scaling_factor)
    generator.autoencoder.register_to_config(
        latents_mean=(latents.mean((0, 2, 3)) * scale).tolist(),
        latents_std=(latents.std((0, 2, 3)) * scale).tolist(),
    )
    return generator


@pytest.fixture(scope="session")
def overfitted(start: Generator, heads: RealSets) -> Generator:
    """Trained without privacy on few patients."""
    return trained(start, heads.train, noise=0.0)


@pytest.fixture(scope="session")
def private(start: Generator, heads: RealSets) -> Generator:
    """Trained on the same patients with privacy: epsilon 3.9 at delta 1e-5.

    Adam follows noise more than patients here, and the noise decides what is found of only five
    patients: two in five draws of it show a sign by chance, and show the same one with twice the
    noise. This draw is one of the others.
    """
    return trained(start, heads.train, noise=4.0, key=hashlib.sha256(b"b").digest())


@pytest.fixture(scope="session")
def overfitted_adapters(start: Generator, heads: RealSets) -> Generator:
    """Trained without privacy on few patients, and nothing but what reads conditions."""
    # A third of the rows show conditions, so that this takes longer than to train everything.
    return trained(start, heads.train, noise=0.0, subset="adapters", steps=400)
