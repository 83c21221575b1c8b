"""What pre-training weighs, and in which precision it multiplies."""

import numpy as np
import torch
from fedscan.model.conditions import LABEL
from fedscan.model.example import LatentRows
from fedscan.model.objective import diffusion_loss
from fedscan.model.pretraining.batches import BATCH, Batches
from fedscan.model.pretraining.denoiser import train_denoiser
from fedscan.model.pretraining.examples import ExampleBank
from fedscan.model.pretraining.pace import Duration
from fedscan.model.pretraining.precision import mixed_precision
from fedscan.model.pretraining.timesteps import central_timesteps


def rows(generator, count):
    return LatentRows(
        latents=torch.randn(count, *generator.latent_shape),
        text=generator.embed(["axial CT slice of the head"] * count),
        position=torch.rand(count),
    )


def test_cells_count_as_much_as_their_weight_says(tiny):
    batch = rows(tiny, 3)
    times, noise = torch.tensor([10, 400, 900]), torch.randn(batch.latents.shape)
    plain = diffusion_loss(tiny, batch, times, noise)
    even = torch.ones(3, 1, *batch.latents.shape[2:])
    torch.testing.assert_close(diffusion_loss(tiny, batch, times, noise, even), plain)
    halves = even.clone()
    halves[..., :4] = 0
    left = diffusion_loss(tiny, batch, times, noise, 1 - halves)
    right = diffusion_loss(tiny, batch, times, noise, halves)
    torch.testing.assert_close(left + right, plain)


def test_lower_precision_computes_the_same_within_rounding_and_leaves_no_trace(tiny):
    batch = rows(tiny, 8)
    times, noise = torch.randint(1000, (8,)), torch.randn(batch.latents.shape)
    before = {name: type(each) for name, each in tiny.unet.attn_processors.items()}
    exact = diffusion_loss(tiny, batch, times, noise)
    with mixed_precision(tiny):
        rough = diffusion_loss(tiny, batch, times, noise)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=0.02)
    assert {name: type(each) for name, each in tiny.unet.attn_processors.items()} == before
    torch.testing.assert_close(diffusion_loss(tiny, batch, times, noise), exact)


def test_a_channel_counts_as_much_as_it_changes_the_pixels(tiny):
    batch = rows(tiny, 3)
    times, noise = torch.tensor([10, 400, 900]), torch.randn(batch.latents.shape)
    assert tiny.channel_weights is None
    plain = diffusion_loss(tiny, batch, times, noise)
    tiny.autoencoder.register_to_config(latents_mean=[0.0] * 4, latents_std=[4.0, 2.0, 1.0, 1.0])
    torch.testing.assert_close(
        tiny.channel_weights.flatten(), torch.tensor([2.0, 1.0, 0.5, 0.5]), rtol=0, atol=1e-6
    )
    torch.manual_seed(0)
    with torch.no_grad():
        predictions = tiny.denoise(
            tiny.scheduler.add_noise(batch.latents, noise, times), times, batch.text, batch.position
        )
    target = tiny.scheduler.get_velocity(batch.latents, noise, times)
    errors = (predictions - target).square().mean((2, 3))
    torch.testing.assert_close(errors.mean(1), plain)
    weighted = diffusion_loss(tiny, batch, times, noise)
    torch.testing.assert_close((errors * tiny.channel_weights.flatten()).mean(1), weighted)


def weights_of_first_batch(tiny, masks, monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    bank = ExampleBank(
        images=rng.uniform(-1, 1, masks.shape).astype(np.float16),
        masks=masks,
        captions=np.array(["axial CT slice of the head, lesion"] * len(masks)),
        positions=np.full(len(masks), 0.5, np.float32),
        chances=np.full(len(masks), 1 / len(masks)),
    )
    seen = []

    def record(generator, batch, timesteps, noise, weight):
        seen.append(weight)
        return diffusion_loss(generator, batch, timesteps, noise, weight)

    monkeypatch.setattr("fedscan.model.pretraining.batches.diffusion_loss", record)
    train_denoiser(tiny, bank, Duration(seconds=0.01), seed=0, state=tmp_path / "state.pt")
    return seen[0]


def test_places_with_a_lesion_count_more(tiny, monkeypatch, tmp_path):
    side = tiny.image_size
    masks = np.zeros((4, side, side), np.uint8)
    masks[:, :, : side // 2] = LABEL["lesion"]
    weight = weights_of_first_batch(tiny, masks, monkeypatch, tmp_path)
    cells = tiny.latent_shape[-1]
    assert weight.shape == (BATCH, 1, cells, cells)
    assert (weight[..., : cells // 2] > weight[..., cells // 2 :]).all()


def test_images_with_a_small_lesion_are_drawn_more_often_than_others(tiny, monkeypatch, tmp_path):
    masks = np.zeros((16, tiny.image_size, tiny.image_size), np.uint8)
    masks[0, :3, :3] = LABEL["lesion"]
    weight = weights_of_first_batch(tiny, masks, monkeypatch, tmp_path)
    shown = (weight > 1).any(-1).any(-1).sum()
    assert shown > 2 * BATCH / 16


def test_images_of_twice_the_size_are_learnt_at_both_sizes(tiny, tmp_path):
    side = 2 * tiny.image_size
    rng = np.random.default_rng(0)
    bank = ExampleBank(
        images=rng.uniform(-1, 1, (12, side, side)).astype(np.float16),
        masks=np.zeros((12, side, side), np.uint8),
        captions=np.array(["PA chest X-ray"] * 12),
        positions=np.full(12, 0.5, np.float32),
        chances=np.full(12, 1 / 12),
    )
    np.testing.assert_allclose(
        bank.halved().images[3, 5, 7], bank.images[3, 10:12, 14:16].mean(), atol=1e-3
    )
    counts = {len(Batches(tiny, bank, seed=1, rank=0).losses(step)[0]) for step in range(12)}
    assert counts == {BATCH, BATCH // 4}
    train_denoiser(tiny, bank, Duration(images=BATCH * 3), seed=1, state=tmp_path / "state.pt")
    large = LatentRows(
        latents=tiny.encode(torch.from_numpy(bank.images[:2].astype(np.float32))[:, None]),
        text=tiny.embed(["PA chest X-ray"] * 2),
        position=torch.rand(2),
    )
    loss = diffusion_loss(tiny, large, torch.tensor([10, 900]), torch.randn(large.latents.shape))
    assert torch.isfinite(loss).all()


def test_a_shift_draws_noisier_timesteps(tiny):
    draws = [torch.Generator().manual_seed(0) for _ in range(2)]
    plain = central_timesteps(tiny, 2000, draws[0]).double().mean()
    assert central_timesteps(tiny, 2000, draws[1], shift=-1.4).double().mean() > plain + 30


def test_an_image_is_seen_in_several_cuts_unless_a_mask_says_where_things_are(tiny):
    rng = np.random.default_rng(0)
    masks = np.zeros((2, 32, 32), np.uint8)
    masks[1, 4:9, 4:9] = LABEL["lesion"]
    bank = ExampleBank(
        images=rng.uniform(-1, 1, (2, 32, 32)).astype(np.float16),
        masks=masks,
        captions=np.array(["chest X-ray", "axial CT slice of the head"]),
        positions=np.zeros(2, np.float32),
        chances=np.full(2, 0.5),
    )
    size = Batches(tiny, bank, seed=1, rank=0)._sizes[0]
    seen = [size.rows(np.array([0, 1]), np.random.default_rng(step)).latents for step in range(20)]
    kinds = [len({row.numpy().tobytes() for row in rows}) for rows in zip(*seen, strict=True)]
    assert 3 <= kinds[0] <= 6
    assert kinds[1] == 1
    again = Batches(tiny, bank, seed=1, rank=0)._sizes[0]
    last = again.rows(np.array([0, 1]), np.random.default_rng(19)).latents
    torch.testing.assert_close(last, seen[19], rtol=0, atol=0)
