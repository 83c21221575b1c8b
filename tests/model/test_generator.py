from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from fedscan.errors import ConfigurationError, ModelError
from fedscan.model.conditions import spatial_conditions
from fedscan.model.example import LatentRows
from fedscan.model.generator import Generator, build_generator
from fedscan.model.integrity.latents import share_latents
from fedscan.model.networks.architecture import ARCHITECTURES, build_adapter, build_unet
from fedscan.model.objective import diffusion_loss, num_train_timesteps
from fedscan.model.sampling import sample
from fedscan.model.settings import GeneratorSettings, TrainableSettings
from fedscan.model.storage import generator_digest, load_generator, save_generator
from fedscan.model.trainable import merge_lora, select_trainable


def some_rows(generator, count=3, spatial=False):
    rng = torch.Generator().manual_seed(0)
    size = generator.image_size
    return LatentRows(
        latents=torch.randn(count, *generator.latent_shape, generator=rng),
        text=generator.embed(["axial CT slice of the head", "chest X-ray", ""][:count]),
        position=torch.linspace(0, 1, count),
        spatial=torch.rand(count, 13, size, size, generator=rng) if spatial else None,
    )


def test_velocity_loss_is_the_textbook_formula(tiny):
    rows = some_rows(tiny)
    noise = torch.randn_like(rows.latents)
    timesteps = torch.tensor([1, 500, 998])
    alpha = tiny.scheduler.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
    noisy = alpha.sqrt() * rows.latents + (1 - alpha).sqrt() * noise
    velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * rows.latents
    with torch.no_grad():
        predicted = tiny.denoise(noisy, timesteps, rows.text, rows.position)
        loss = diffusion_loss(tiny, rows, timesteps, noise)
    torch.testing.assert_close(loss, ((predicted - velocity) ** 2).mean((1, 2, 3)))
    assert num_train_timesteps(tiny) == 1000


def test_epsilon_prediction_is_scored_against_the_noise():
    generator = build_generator(GeneratorSettings(size="tiny", prediction="epsilon"))
    rows = some_rows(generator)
    noise = torch.randn_like(rows.latents)
    timesteps = torch.tensor([10, 20, 30])
    with torch.no_grad():
        noisy = generator.scheduler.add_noise(rows.latents, noise, timesteps)
        predicted = generator.denoise(noisy, timesteps, rows.text, rows.position)
        loss = diffusion_loss(generator, rows, timesteps, noise)
    torch.testing.assert_close(loss, ((predicted - noise) ** 2).mean((1, 2, 3)))


@pytest.mark.parametrize("which", ["text", "position", "spatial"])
@pytest.mark.parametrize("size", ["tiny", "small"])  # with attention on all levels, and not
def test_each_condition_reaches_the_prediction(size, which):
    generator = build_generator(GeneratorSettings(size=size), seed=3)
    rows = some_rows(generator, spatial=True)
    other = {
        "text": rows.text.flip(0),
        "position": 1 - rows.position + 0.1,
        "spatial": rows.spatial.flip(-1),
    }[which]
    given = {"text": rows.text, "position": rows.position, "spatial": rows.spatial}
    timesteps = torch.tensor([100, 100, 100])
    with torch.no_grad():
        one = generator.denoise(rows.latents, timesteps, **given)
        two = generator.denoise(rows.latents, timesteps, **{**given, which: other})
    assert (one - two).abs().max() > 1e-4


def test_rows_without_spatial_conditions_are_as_if_none_were_given(tiny):
    rows = some_rows(tiny, spatial=True)
    rows.spatial[1] = 0
    timesteps = torch.tensor([5, 5, 5])
    with torch.no_grad():
        mixed = tiny.denoise(rows.latents, timesteps, rows.text, rows.position, rows.spatial)
        none = tiny.denoise(rows.latents, timesteps, rows.text, rows.position)
    torch.testing.assert_close(mixed[1], none[1])
    assert not torch.allclose(mixed[0], none[0])


@pytest.mark.parametrize("subset", ["attention", "adapters", "lora", "all"])
def test_only_the_chosen_subset_requires_gradients(tiny, subset):
    chosen = select_trainable(tiny, TrainableSettings(subset=subset))
    needing = {name for name, value in tiny.named_parameters() if value.requires_grad}
    assert needing == set(chosen)
    assert list(chosen) == sorted(chosen)
    assert not any(name.startswith("autoencoder") for name in chosen)


def test_lora_starts_as_no_change_alike_on_every_machine_and_merges():
    before = build_generator(GeneratorSettings(size="tiny"), seed=3)
    rows = some_rows(before)
    times = torch.tensor([50, 50, 50])
    with torch.no_grad():
        plain = before.denoise(rows.latents, times, rows.text, rows.position)
    chosen = select_trainable(before, TrainableSettings(subset="lora", lora_rank=2))
    with torch.no_grad():
        start = before.denoise(rows.latents, times, rows.text, rows.position)
    torch.testing.assert_close(start, plain)
    torch.manual_seed(99)
    again = select_trainable(
        build_generator(GeneratorSettings(size="tiny"), seed=3),
        TrainableSettings(subset="lora", lora_rank=2),
    )
    assert all(torch.equal(chosen[name], again[name]) for name in chosen)
    with torch.no_grad():
        for value in chosen.values():
            value.add_(0.05)
        changed = before.denoise(rows.latents, times, rows.text, rows.position)
        merge_lora(before)
        merged = before.denoise(rows.latents, times, rows.text, rows.position)
    assert not torch.allclose(changed, plain)
    torch.testing.assert_close(merged, changed, atol=1e-5, rtol=1e-4)
    assert not any("lora" in name for name, _ in before.named_parameters())


def test_an_image_depends_on_seed_and_index_not_on_the_batch(tiny):
    captions = ["axial CT slice of the head"] * 5
    together = sample(tiny, captions, steps=2, seed=7)
    apart = sample(tiny, captions, steps=2, seed=7, batch_size=2)
    np.testing.assert_allclose(together, apart, atol=1e-4)
    assert np.abs(together[0] - together[1]).max() > 1e-3
    assert np.abs(together - sample(tiny, captions, steps=2, seed=8)).max() > 1e-3


@pytest.mark.parametrize("size", ["tiny", "small"])  # with attention on all levels, and not
@pytest.mark.parametrize("factor", [0.75, 2])
def test_images_of_another_size_follow_seed_and_conditions(size, factor):
    generator = build_generator(GeneratorSettings(size=size))
    side = int(factor * generator.image_size)
    mask = np.ones((side, side), np.uint8)
    led = spatial_conditions((side, side), mask=mask)[None]
    drawn = [
        sample(generator, ["chest X-ray"], steps=2, size=side, seed=seed, spatial=spatial)
        for seed, spatial in ((1, None), (1, None), (2, None), (1, led))
    ]
    assert drawn[0].shape == (1, side, side)
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.allclose(drawn[0], drawn[2])
    assert not np.allclose(drawn[0], drawn[3])


@pytest.mark.parametrize("size", [8, 20, 72])
def test_a_size_that_a_generator_does_not_draw_is_refused(tiny, size):
    with pytest.raises(ConfigurationError, match=f"images of {size} pixels"):
        sample(tiny, ["chest X-ray"], steps=1, size=size)


def test_saved_generator_opens_with_diffusers_and_samples_the_same(tiny, tmp_path):
    save_generator(tiny, tmp_path, {"name": "a test", "privacy": {"epsilon": 8}})
    pipeline = DiffusionPipeline.from_pretrained(tmp_path, trust_remote_code=True)
    images = pipeline(["chest X-ray"] * 2, num_inference_steps=2, seed=1, output_type="np").images
    np.testing.assert_allclose(
        images, sample(tiny, ["chest X-ray"] * 2, steps=2, seed=1), atol=1e-5
    )
    larger = pipeline("chest X-ray", num_inference_steps=1, size=48).images[0]
    assert larger.size == (48, 48)
    card = (tmp_path / "README.md").read_text()
    assert "not for diagnosis" in card
    assert "**epsilon**: 8" in card
    loaded = load_generator(tmp_path)
    assert loaded.latents_digest() == tiny.latents_digest()
    assert len(generator_digest(tmp_path)) == 64


def test_a_u_net_that_sees_blocks_of_cells_as_one_has_latents_of_its_own(tiny):
    blocks = replace(ARCHITECTURES["tiny"], latent_channels=16, block=8)
    packed = Generator(
        build_unet(blocks, tiny.caption_encoder.width),
        build_adapter(blocks.unet_channels, blocks.block, blocks.layers_per_block),
        tiny.autoencoder,
        tiny.caption_encoder,
        tiny.scheduler,
    )
    images = torch.rand(2, 1, 32, 32) * 2 - 1
    cells = packed.encode(images)
    assert cells.shape[1:] == packed.latent_shape == (16, 4, 4)
    torch.testing.assert_close(packed.decode(cells), tiny.decode(tiny.encode(images)))
    assert packed.latents_digest() != tiny.latents_digest()
    assert not share_latents(packed, tiny)


@pytest.fixture
def few():
    """A generator of whose four latent channels the U-Net draws the first two."""
    size = replace(ARCHITECTURES["tiny"], drawn_channels=2)
    whole = build_generator(GeneratorSettings(size="tiny"), seed=3)
    return Generator(
        build_unet(size, whole.caption_encoder.width),
        whole.adapter,
        whole.autoencoder,
        whole.caption_encoder,
        whole.scheduler,
    )


@pytest.fixture
def smooth_images():
    """Images of which an untrained autoencoder's first channels hold much, and the others some."""
    rng = torch.Generator().manual_seed(0)
    rough = torch.rand(3, 1, 12, 12, generator=rng) * 2 - 1
    return torch.nn.functional.interpolate(rough, (32, 32), mode="bilinear")


def test_a_u_net_may_draw_the_first_channels_and_the_others_are_decoded_at_their_means(
    tiny, few, smooth_images
):
    drawn, whole = few.encode(smooth_images), tiny.encode(smooth_images)
    assert drawn.shape[1:] == few.latent_shape == (2, 8, 8)
    torch.testing.assert_close(drawn, whole[:, :2])
    torch.testing.assert_close(few.encode_all(smooth_images), whole)
    assert few.packing == 1
    # Zero is a channel's mean.
    at_means = torch.cat([whole[:, :2], torch.zeros_like(whole[:, 2:])], 1)
    torch.testing.assert_close(few.decode(drawn), tiny.decode(at_means))
    torch.testing.assert_close(few.decode(whole), tiny.decode(whole))


def test_the_autoencoder_alone_rebuilds_from_all_channels_or_from_as_many_as_are_asked(
    tiny, few, smooth_images
):
    def error(rebuilt):
        return (rebuilt - smooth_images).square().mean()

    torch.testing.assert_close(few.rebuild(smooth_images), tiny.rebuild(smooth_images))
    torch.testing.assert_close(few.rebuild(smooth_images, 2), few.decode(few.encode(smooth_images)))
    errors = [error(few.rebuild(smooth_images, count)) for count in (None, 3, 2, 1)]
    assert errors == sorted(errors)
    assert errors[0] < 0.7 * errors[2]


def test_latents_of_few_channels_are_others_and_each_counts_among_the_drawn_ones(tiny, few):
    assert few.latents_digest() != tiny.latents_digest()
    assert not share_latents(few, tiny)
    assert few.channel_weights is None
    deviations = [4.0, 2.0, 1.0, 1.0]
    few.autoencoder.register_to_config(latents_mean=[0.0] * 4, latents_std=deviations)
    assert few.channel_weights.flatten().tolist() == pytest.approx([4 / 3, 2 / 3])
    images = some_rows(few).latents
    assert images.shape[1] == len(few.channel_weights)


def test_a_generator_that_draws_few_channels_is_saved_and_opened_like_any_other(few, tmp_path):
    save_generator(few, tmp_path)
    loaded = load_generator(tmp_path)
    assert loaded.latent_shape == few.latent_shape
    assert loaded.latents_digest() == few.latents_digest()
    assert share_latents(loaded, few)
    pipeline = DiffusionPipeline.from_pretrained(tmp_path, trust_remote_code=True)
    images = pipeline(["chest X-ray"] * 2, num_inference_steps=2, seed=1, output_type="np").images
    np.testing.assert_allclose(images, sample(few, ["chest X-ray"] * 2, steps=2, seed=1), atol=1e-5)
    assert images.shape == (2, 32, 32)
    larger = pipeline("chest X-ray", num_inference_steps=1, size=64).images[0]
    assert larger.size == (64, 64)


def test_a_copy_in_half_precision_means_the_same_by_a_latent(tiny, tmp_path):
    copy = build_generator(GeneratorSettings(size="tiny"))
    copy.load_state_dict(tiny.state_dict())
    copy.half().float()
    assert copy.latents_digest() != tiny.latents_digest()
    assert share_latents(copy, tiny)
    assert share_latents(tiny, copy)
    with torch.no_grad():
        next(copy.autoencoder.parameters()).mul_(1.01)
    assert not share_latents(copy, tiny)


def test_a_saved_generator_does_not_say_where_its_parts_came_from(tiny, tmp_path):
    save_generator(tiny, tmp_path / "first")
    save_generator(load_generator(tmp_path / "first"), tmp_path / "second")
    texts = [*(tmp_path / "second").rglob("*.json"), tmp_path / "second" / "README.md"]
    assert not [file.name for file in texts if str(tmp_path) in file.read_text()]
    assert generator_digest(tmp_path / "first") == generator_digest(tmp_path / "second")


def test_opening_what_is_no_generator_says_so(tmp_path):
    with pytest.raises(ModelError, match=r"no model_index\.json"):
        load_generator(tmp_path)
    (tmp_path / "model_index.json").write_text('{"caption_encoder": 1}')
    with pytest.raises(ModelError, match="cannot be opened"):
        load_generator(tmp_path)
