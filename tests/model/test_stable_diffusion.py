"""A Stable Diffusion folder by its path is a base: what its own pipeline does, and trainable."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from fedscan.errors import ModelError
from fedscan.model.conditions import SPATIAL_CHANNELS
from fedscan.model.example import LatentRows
from fedscan.model.objective import diffusion_loss
from fedscan.model.sampling import sample
from fedscan.model.settings import TrainableSettings
from fedscan.model.storage import generator_digest, load_generator, save_generator
from fedscan.model.trainable import merge_lora, select_trainable
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

CAPTIONS = ["chest x", ""]
LENGTH = 20


def write_stable_diffusion(folder: Path, **unet_options: object) -> StableDiffusionPipeline:
    """Write a pipeline folder of Stable Diffusion's own classes, with few and random weights."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16, 16, 16),
        layers_per_block=1,
        down_block_types=(*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"),
        up_block_types=("UpBlock2D", *["CrossAttnUpBlock2D"] * 3),
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=4,
        **unet_options,
    )
    autoencoder = AutoencoderKL(
        block_out_channels=(4, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        sample_size=32,
    )
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "words").mkdir(parents=True)
    vocabulary, merges = folder / "words" / "vocab.json", folder / "words" / "merges.txt"
    vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=LENGTH,
            bos_token_id=len(words) - 2,
            eos_token_id=len(words) - 1,
            pad_token_id=len(words) - 1,
        )
    )
    pipeline = StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=encoder,
        tokenizer=CLIPTokenizer(str(vocabulary), str(merges), model_max_length=LENGTH),
        unet=unet,
        scheduler=PNDMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(folder)
    return pipeline


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> tuple[Path, StableDiffusionPipeline]:
    folder = tmp_path_factory.mktemp("base") / "stable-diffusion"
    return folder, write_stable_diffusion(folder)


@pytest.fixture
def base(original):
    return load_generator(original[0])


def test_it_works_as_the_pipeline_that_it_was(base, original):
    pipeline = original[1]
    with torch.no_grad():
        text, nothing = pipeline.encode_prompt(CAPTIONS[:1], "cpu", 1, True, [""])
        latents = torch.randn(1, 4, 8, 8)
        predicted = pipeline.unet(latents, 500, text).sample
        found = base.denoise(latents, torch.tensor([500]), text, torch.tensor([0.5]))
        picture = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
    torch.testing.assert_close(base.embed(CAPTIONS), torch.cat([text, nothing]))
    torch.testing.assert_close(found, predicted)
    torch.testing.assert_close(base.decode(latents), picture.mean(1, keepdim=True).clamp(-1, 1))
    assert (base.image_size, base.latent_shape) == (64, (4, 8, 8))
    betas = base.scheduler.alphas_cumprod, pipeline.scheduler.alphas_cumprod
    torch.testing.assert_close(*betas)


def test_its_new_adapter_adds_nothing_until_it_has_learned(base):
    spatial = torch.rand(2, SPATIAL_CHANNELS, 64, 64)
    rows = LatentRows(
        latents=torch.randn(2, 4, 8, 8),
        text=base.embed(CAPTIONS),
        position=torch.tensor([0.5, 0.5]),
        spatial=spatial,
    )
    parameters = select_trainable(base, TrainableSettings(subset="adapters"))
    assert all(not feature.any() for feature in base.adapter(spatial))
    optimizer = torch.optim.Adam(parameters.values(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        noise = torch.randn_like(rows.latents)
        diffusion_loss(base, rows, torch.tensor([100, 900]), noise).sum().backward()
        optimizer.step()
    assert all(feature.abs().max() > 0 for feature in base.adapter(spatial))


def test_fine_tuned_it_is_a_folder_of_its_own(base, tmp_path, original):
    chosen = select_trainable(base, TrainableSettings(subset="lora", lora_rank=2))
    with torch.no_grad():
        for value in chosen.values():
            value.add_(0.05)
    merge_lora(base)
    save_generator(base, tmp_path / "tuned")
    expected = sample(base, CAPTIONS, steps=2, seed=1)
    moved = (tmp_path / "tuned").rename(tmp_path / "elsewhere")
    text = "".join(file.read_text() for file in moved.rglob("*.json"))
    assert str(original[0]) not in text + (moved / "README.md").read_text()
    assert str(tmp_path) not in text
    np.testing.assert_allclose(
        sample(load_generator(moved), CAPTIONS, steps=2, seed=1), expected, atol=1e-5
    )
    images = DiffusionPipeline.from_pretrained(moved, trust_remote_code=True)(
        CAPTIONS, num_inference_steps=2, seed=1, output_type="np"
    ).images
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_loading_and_saving_again_changes_no_weight(base, tmp_path):
    save_generator(base, tmp_path / "one")
    save_generator(load_generator(tmp_path / "one"), tmp_path / "two")
    assert generator_digest(tmp_path / "one") == generator_digest(tmp_path / "two")


@pytest.mark.parametrize(
    ("options", "needs"),
    [
        ({"in_channels": 9}, "9 channels where a latent has 4"),
        ({"num_class_embeds": 3}, "conditions besides its text"),
    ],
)
def test_another_kind_of_unet_is_refused_by_what_it_needs(tmp_path, options, needs):
    write_stable_diffusion(tmp_path / "other", **options)
    with pytest.raises(ModelError, match=needs):
        load_generator(tmp_path / "other")


def test_a_folder_without_its_unet_is_refused(tmp_path):
    write_stable_diffusion(tmp_path / "cut")
    (tmp_path / "cut" / "unet" / "config.json").unlink()
    with pytest.raises(ModelError, match="cannot be opened"):
        load_generator(tmp_path / "cut")
