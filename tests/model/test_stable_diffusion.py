"""A Stable Diffusion folder by its path is a base: what its own pipeline does, and trainable."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import PNDMScheduler, StableDiffusionPipeline
from fedscan.errors import ModelError
from fedscan.model.conditions import SPATIAL_CHANNELS
from fedscan.model.example import LatentRows
from fedscan.model.objective import diffusion_loss
from fedscan.model.outline import read_image_sizes
from fedscan.model.sampling import sample
from fedscan.model.settings import TrainableSettings
from fedscan.model.storage import generator_digest, load_generator, save_generator
from fedscan.model.trainable import lora_updates, merge_lora, select_trainable
from safetensors.torch import load_file, save_file
from tiny_stable_diffusion import write_stable_diffusion

CAPTIONS = ["chest x", ""]


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


def tune(base) -> None:
    """Move its low-rank updates as a training would."""
    chosen = select_trainable(base, TrainableSettings(subset="lora", lora_rank=2))
    with torch.no_grad():
        for value in chosen.values():
            value.add_(0.05)


def noise_prediction(unet) -> torch.Tensor:
    noise = torch.Generator().manual_seed(5)
    latents, text = (
        torch.randn(1, 4, 8, 8, generator=noise),
        torch.randn(1, 20, 16, generator=noise),
    )
    with torch.no_grad():
        return unet(latents.to(unet.dtype), 400, text.to(unet.dtype)).sample.float()


def test_fine_tuned_it_is_a_folder_of_its_own(base, tmp_path, original):
    tune(base)
    merge_lora(base)
    save_generator(base, tmp_path / "tuned")
    expected = sample(base, CAPTIONS, steps=2, seed=1)
    moved = (tmp_path / "tuned").rename(tmp_path / "elsewhere")
    text = "".join(file.read_text() for file in moved.rglob("*.json"))
    assert str(original[0]) not in text + (moved / "README.md").read_text()
    assert str(tmp_path) not in text
    again = sample(load_generator(moved), CAPTIONS, steps=2, seed=1)
    np.testing.assert_allclose(again, expected, atol=1e-5)


def test_fine_tuned_it_is_what_diffusers_own_class_opens(base, tmp_path, original):
    """In half precision, with the low-rank updates beside it for the base as it was."""
    tune(base)
    updates = lora_updates(base)
    merge_lora(base)
    save_generator(base, tmp_path / "tuned", half_precision=True, lora=updates)
    opened = StableDiffusionPipeline.from_pretrained(tmp_path / "tuned", dtype=torch.float16)
    assert (opened.unet.dtype, opened.text_encoder.dtype) == (torch.float16, torch.float16)
    assert isinstance(opened.scheduler, PNDMScheduler)
    whole = StableDiffusionPipeline.from_pretrained(tmp_path / "tuned", dtype=torch.float32)
    whole.set_progress_bar_config(disable=True)
    assert whole("chest x", num_inference_steps=2, output_type="np").images.shape == (1, 64, 64, 3)
    updated = StableDiffusionPipeline.from_pretrained(original[0])
    before = noise_prediction(updated.unet)
    updated.load_lora_weights(tmp_path / "tuned")
    after = noise_prediction(updated.unet)
    assert (after - before).abs().max() > 0.05
    torch.testing.assert_close(after, noise_prediction(whole.unet), atol=5e-3, rtol=0)


def test_nothing_untrained_lies_in_its_folder(base, tmp_path):
    """No spatial adapter that never learnt; one that a study trained stays with the generator."""
    save_generator(base, tmp_path / "plain")
    assert not base.takes_spatial
    assert {path.name for path in (tmp_path / "plain").iterdir() if path.is_dir()} == {
        *("scheduler", "text_encoder", "tokenizer", "unet", "vae")
    }
    parameters = select_trainable(base, TrainableSettings(subset="adapters"))
    with torch.no_grad():
        for value in parameters.values():
            value.add_(0.1)
    save_generator(base, tmp_path / "taught")
    opened = load_generator(tmp_path / "taught")
    assert opened.takes_spatial
    spatial = torch.rand(1, SPATIAL_CHANNELS, 64, 64)
    for found, expected in zip(opened.adapter(spatial), base.adapter(spatial), strict=True):
        torch.testing.assert_close(found, expected)


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


def test_two_text_encoders_are_refused_before_any_weight_is_read(tmp_path):
    write_stable_diffusion(tmp_path / "xl")
    index = tmp_path / "xl" / "model_index.json"
    parts = json.loads(index.read_text()) | {"_class_name": "StableDiffusionXLPipeline"}
    index.write_text(json.dumps(parts | {"text_encoder_2": ["transformers", "CLIPTextModel"]}))
    for file in (tmp_path / "xl").rglob("*.safetensors"):
        file.unlink()
    with pytest.raises(ModelError, match=r"is Stable Diffusion XL .* two text encoders"):
        load_generator(tmp_path / "xl")


def test_an_unknown_prediction_is_refused(tmp_path):
    write_stable_diffusion(tmp_path / "other")
    schedule = tmp_path / "other" / "scheduler" / "scheduler_config.json"
    schedule.write_text(
        json.dumps(json.loads(schedule.read_text()) | {"prediction_type": "sample"})
    )
    with pytest.raises(ModelError, match="predicts 'sample', which fedscan does not train"):
        load_generator(tmp_path / "other")


def test_weights_filed_as_half_precision_are_taken(tmp_path, original):
    """Hubs offer folders with nothing else: two bytes a weight, and `fp16` in each file's name."""
    folder = tmp_path / "half"
    pipeline = write_stable_diffusion(folder)
    for file in folder.rglob("*.safetensors"):
        file.unlink()
    pipeline.to(dtype=torch.float16).save_pretrained(folder, variant="fp16")
    names = sorted(file.name for file in folder.rglob("*.safetensors"))
    assert all(".fp16." in name for name in names)
    assert len(names) == 3
    half, whole = load_generator(folder), load_generator(original[0])
    assert (half.unet.dtype, half.caption_encoder.embed(CAPTIONS).dtype) == (
        torch.float32,
        torch.float32,
    )
    expected = sample(whole, CAPTIONS, steps=2, seed=1)
    assert np.abs(sample(half, CAPTIONS, steps=2, seed=1) - expected).max() < 0.05
    changed = folder / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    before, weights = generator_digest(folder), load_file(changed)
    weights["conv_in.bias"] += 1
    save_file(weights, changed)
    assert generator_digest(folder) != before


def test_it_is_trained_at_another_size_without_a_changed_file(tmp_path, original):
    assert read_image_sizes(original[0]) == (64, 128)
    base = load_generator(original[0], 128)
    assert (base.image_size, base.latent_shape) == (128, (4, 16, 16))
    assert sample(base, CAPTIONS, steps=1).shape == (2, 128, 128)
    save_generator(base, tmp_path / "large")
    assert load_generator(tmp_path / "large").image_size == 128
    with pytest.raises(ModelError, match="does not make images of 96 pixels"):
        load_generator(original[0], 96)


def test_a_name_on_a_hub_is_no_folder():
    with pytest.raises(ModelError, match=r"There is no folder .*/stable-diffusion-v1-5") as caught:
        load_generator("sd-legacy/stable-diffusion-v1-5")
    assert "fetches nothing from a hub" in caught.value.hint
