"""The loss that costs no privacy: the same for the same model, and larger for a damaged one."""

from __future__ import annotations

import torch
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.server.public_loss import PublicLoss, public_images


def test_a_damaged_model_loses_more_and_a_mended_one_as_before() -> None:
    generator = build_generator(GeneratorSettings(size="tiny"))
    loss, state = PublicLoss(generator), torch.random.get_rng_state()
    before = loss.measure()
    assert loss.measure() == before
    with torch.no_grad():
        weight = generator.unet.conv_out.weight
        kept = weight.clone()
        weight.mul_(100)
        assert loss.measure() > before
        weight.copy_(kept)
    assert PublicLoss(generator).measure() == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_images_are_of_every_kind() -> None:
    captions = " ".join(public_images().captions)
    assert all(kind in captions for kind in ("CT slice", "MR slice", "X-ray"))
    assert (public_images().masks > 0).any(axis=(1, 2)).sum() > 12
