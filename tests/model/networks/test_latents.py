"""Latents: what a U-Net sees of an autoencoder's, in which scale, and what each channel counts."""

import pytest
import torch
from fedscan.model.networks.block_autoencoder import BlockAutoencoder
from fedscan.model.networks.latents import (
    channel_weights,
    latent_statistics,
    latents_digest,
    packing,
)

CPU = torch.device("cpu")


@pytest.fixture
def autoencoder():
    return BlockAutoencoder(
        block=4,
        latent_channels=4,
        encoder_width=8,
        decoder_width=8,
        detail_width=4,
        sample_size=32,
        latents_mean=[1.0, 0.0, 0.0, -1.0],
        latents_std=[4.0, 2.0, 1.0, 1.0],
    )


@pytest.mark.parametrize(("drawn", "side"), [(1, 1), (2, 1), (4, 1), (16, 2), (36, 3)])
def test_more_channels_than_a_cell_has_are_blocks_of_cells_and_fewer_the_first_ones(
    autoencoder, drawn, side
):
    assert packing(autoencoder, drawn) == side


def test_latents_are_scaled_by_channel_or_all_alike(autoencoder):
    shift, scale = latent_statistics(autoencoder, CPU)
    assert shift.shape == scale.shape == (1, 4, 1, 1)
    assert shift.flatten().tolist() == [1.0, 0.0, 0.0, -1.0]
    assert scale.flatten().tolist() == [4.0, 2.0, 1.0, 1.0]
    autoencoder.register_to_config(latents_mean=None, scaling_factor=0.25, shift_factor=0.5)
    shift, scale = latent_statistics(autoencoder, CPU)
    assert (shift.item(), scale.item()) == (0.5, 4.0)


def test_a_channel_counts_by_what_it_changes_and_those_that_are_not_drawn_do_not(autoencoder):
    assert channel_weights(autoencoder, 4, CPU).flatten().tolist() == [2.0, 1.0, 0.5, 0.5]
    few = channel_weights(autoencoder, 2, CPU)
    assert few.shape == (2, 1, 1)
    assert few.flatten().tolist() == pytest.approx([4 / 3, 2 / 3])
    autoencoder.register_to_config(latents_std=None)
    assert channel_weights(autoencoder, 4, CPU) is None


def test_a_digest_is_of_weights_scale_and_the_channels_that_are_drawn(autoencoder):
    digest = latents_digest(autoencoder, 4)
    assert digest == latents_digest(autoencoder, 4)
    others = {latents_digest(autoencoder, drawn) for drawn in (1, 2, 3, 16)}
    autoencoder.register_to_config(latents_mean=[0.0] * 4)
    others.add(latents_digest(autoencoder, 4))
    autoencoder.register_to_config(latents_mean=[1.0, 0.0, 0.0, -1.0])
    assert latents_digest(autoencoder, 4) == digest
    with torch.no_grad():
        autoencoder.synthesis.weight.mul_(1.01)
    others.add(latents_digest(autoencoder, 4))
    assert len(others - {digest}) == 6
