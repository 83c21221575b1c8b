"""How far weights moved, and whether a saved generator draws what it drew before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fedscan.errors import ModelError
from fedscan.model.generator import Generator, build_generator
from fedscan.model.integrity.movement import (
    image_digest,
    require_same_image,
    share_between,
    small_generation,
)
from fedscan.model.settings import GeneratorSettings, TrainableSettings
from fedscan.model.storage import load_generator, save_generator
from fedscan.model.trainable import select_trainable
from torch import nn


def numbers(parameters: dict[str, nn.Parameter]) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy().copy() for name, value in parameters.items()}


def whole_weights(generator: Generator) -> dict[str, torch.Tensor]:
    """Weights of the attention layers with their low-rank updates in them, by peft itself."""
    return {
        name: layer.base_layer.weight.detach() + layer.get_delta_weight("fedscan")
        for name, layer in generator.unet.named_modules()
        if hasattr(layer, "get_delta_weight")
    }


def test_a_low_rank_update_counts_with_the_layer_that_it_updates() -> None:
    generator = build_generator(GeneratorSettings(size="tiny"))
    parameters = select_trainable(generator, TrainableSettings(subset="lora"))
    torch.manual_seed(0)
    with torch.no_grad():
        for value in parameters.values():
            value.copy_(0.1 * torch.randn(value.shape))
        before, whole_before = numbers(parameters), whole_weights(generator)
        for value in parameters.values():
            value.add_(0.01 * torch.randn(value.shape))
        after, whole_after = numbers(parameters), whole_weights(generator)
    moved, length = (
        sum(float(value.square().sum()) for value in values)
        for values in (
            [whole_after[name] - value for name, value in whole_before.items()],
            whole_before.values(),
        )
    )
    found = share_between(generator, before, after)
    assert found == pytest.approx((moved / length) ** 0.5, rel=1e-4)
    assert share_between(generator, before, before) == 0.0


def test_whole_layers_count_as_they_are() -> None:
    generator = build_generator(GeneratorSettings(size="tiny"))
    before = numbers(select_trainable(generator, TrainableSettings(subset="attention")))
    after = {name: value * np.float32(1.03) for name, value in before.items()}
    assert share_between(generator, before, after) == pytest.approx(0.03, rel=1e-3)


def test_what_is_saved_draws_the_same_image(tmp_path: Path) -> None:
    generator = build_generator(GeneratorSettings(size="tiny"))
    for folder, half in ((tmp_path / "whole", False), (tmp_path / "half", True)):
        save_generator(generator, folder, half_precision=half)
        image = small_generation(generator)
        assert image.std() > 0
        again = load_generator(folder)
        assert require_same_image(image, again) == image_digest(image)
    with torch.no_grad():
        again.unet.conv_out.weight.mul_(1.5)
    with pytest.raises(ModelError, match="draws another image"):
        require_same_image(image, again)
