"""The autoencoder of blocks begins as the best linear one, and takes images of any size."""

import numpy as np
import pytest
import torch
from fedscan.model.networks.block_autoencoder import BlockAutoencoder, principal_components


def rebuilt(autoencoder, images):
    return autoencoder.decode(autoencoder.encode(images).latent_dist.mode()).sample


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    # Smooth images: most of a block is in few components.
    rough = torch.from_numpy(rng.standard_normal((8, 1, 16, 16), np.float32))
    return torch.nn.functional.interpolate(rough, (64, 64), mode="bicubic").clamp(-1, 1)


def test_with_all_components_nothing_is_lost_and_with_fewer_the_strongest_stay(images):
    whole = BlockAutoencoder(block=4, latent_channels=16, sample_size=64)
    torch.testing.assert_close(rebuilt(whole, images), images, atol=1e-5, rtol=0)
    few = BlockAutoencoder(block=4, latent_channels=4, sample_size=64)
    untrained = (rebuilt(few, images) - images).square().mean()
    few.set_components(principal_components(images, 4, 4))
    assert (rebuilt(few, images) - images).square().mean() <= untrained
    # No other four directions do better (the theorem of Eckart and Young).
    blocks = torch.nn.functional.pixel_unshuffle(images, 4).movedim(1, -1).reshape(-1, 16)
    values = torch.linalg.svdvals(blocks.double())
    least = (values[4:] ** 2).sum() / blocks.numel()
    torch.testing.assert_close(
        (rebuilt(few, images) - images).square().mean().double(), least, rtol=1e-3, atol=1e-6
    )


def test_components_are_orthonormal_and_strongest_first(images):
    found = principal_components(images, 4, 6)
    torch.testing.assert_close(found @ found.T, torch.eye(6), atol=1e-5, rtol=0)
    blocks = torch.nn.functional.pixel_unshuffle(images, 4).movedim(1, -1).reshape(-1, 16)
    strength = (blocks @ found.T).square().mean(0)
    assert (strength.diff() <= 1e-6).all()


def test_other_sizes_than_its_own_are_rebuilt(images):
    autoencoder = BlockAutoencoder(block=8, latent_channels=32, sample_size=128)
    assert rebuilt(autoencoder, images[..., :48]).shape == (8, 1, 64, 48)


def test_it_opens_alone(tmp_path, images):
    autoencoder = BlockAutoencoder(block=4, latent_channels=4, encoder_width=8, decoder_width=8)
    autoencoder.set_components(principal_components(images, 4, 4))
    autoencoder.save_pretrained(tmp_path)
    again = BlockAutoencoder.from_pretrained(tmp_path)
    torch.testing.assert_close(rebuilt(again, images), rebuilt(autoencoder, images))
