"""Choosing what trains: a small, named part of the generator; the rest stays frozen."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model_state_dict
from torch import Tensor, nn

from ..errors import ModelError
from .generator import Generator
from .settings import TrainableSettings
from .stable_diffusion.opening import add_adapter

_LORA_NAME = "fedscan"
#: The projections of diffusers' attention layers.
_ATTENTION_PROJECTIONS = ("to_q", "to_k", "to_v", "to_out.0")
#: Scales and shifts of diffusers' norms: norm, norm1 to norm3, conv_norm_out, group_norm.
_NORM = re.compile(r"^unet\..*norm[0-9_a-z]*\.(weight|bias)$")


def select_trainable(generator: Generator, settings: TrainableSettings) -> dict[str, nn.Parameter]:
    """Freeze the generator except the chosen parameters.

    Few parameters from a close base are what patient-level privacy leaves room for: DP-LDM
    (arXiv 2305.15759) trains attention only, arXiv 2406.01355 low-rank updates.

    Args:
        generator: Changed in place; for ``lora``, low-rank layers that start as zero updates
            are added, for ``adapters`` and ``all`` a spatial adapter where there is none; with the
            same initial values on every machine.
        settings: The subset, and the rank for ``lora``; for ``auto``, low-rank updates.

    Returns:
        The parameters that now require gradients, by name, sorted by name.
    """
    settings = settings.definite
    if settings.subset in ("adapters", "all"):
        add_adapter(generator)
    generator.requires_grad_(False)
    if settings.subset == "lora":
        _add_lora(generator, settings.lora_rank, by_width=settings.lora_start == "by_width")
    parameters = {
        name: parameter
        for name, parameter in sorted(generator.named_parameters())
        if _belongs(name, settings.subset)
    }
    if not parameters:
        raise ModelError(
            f"The generator has no parameters of the subset {settings.subset!r}.",
            hint="Choose trainable.subset=biases, norms, attention, adapters, lora or all.",
        )
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    if settings.frozen_weights == "bfloat16":
        generator.lower_frozen(torch.bfloat16)
    return parameters


def lora_updates(generator: Generator) -> dict[str, Tensor]:
    """Return the low-rank updates by peft's names, as copies; empty where there are none."""
    if not getattr(generator.unet, "peft_config", None):
        return {}
    updates = get_peft_model_state_dict(generator.unet, adapter_name=_LORA_NAME)
    return {name: value.detach().cpu().clone().contiguous() for name, value in updates.items()}


def count_trainable(generator: Generator, settings: TrainableSettings) -> int:
    """Return how many numbers :func:`select_trainable` would choose, changing nothing.

    Args:
        generator: A base, before low-rank layers are added to it.
        settings: The subset, and the rank for ``lora``.

    Raises:
        ModelError: If the generator has no parameters of the subset.
    """
    parameters = select_trainable(_outline_of(generator), settings)
    return sum(parameter.numel() for parameter in parameters.values())


def _outline_of(generator: Generator) -> Generator:
    """Return a copy that has the shapes of all weights and none of their values."""
    copies: dict[int, Any] = {id(generator.caption_encoder): generator.caption_encoder}
    for parameter in generator.parameters():
        copies[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), requires_grad=False)
    for buffer in generator.buffers():
        copies[id(buffer)] = buffer.to("meta")
    return copy.deepcopy(generator, copies)


def merge_lora(generator: Generator) -> None:
    """Fold low-rank updates into the layers that they update, so that a plain U-Net remains."""
    if getattr(generator.unet, "peft_config", None):
        generator.unet.fuse_lora()
        generator.unet.unload_lora()


def _belongs(name: str, subset: str) -> bool:
    if subset == "lora":
        return "lora_" in name
    if subset == "adapters":
        return name.startswith("adapter.")
    attends = ".attn1." in name or ".attn2." in name
    if subset == "attention":
        return name.startswith("unet.") and attends
    if subset == "biases":  # BitFit (Ben Zaken et al. 2021, arXiv 2106.10199), of attention only
        return name.startswith("unet.") and attends and name.endswith(".bias")
    if subset == "norms":
        return bool(_NORM.search(name))
    return name.startswith(("unet.", "adapter."))


def _add_lora(generator: Generator, rank: int, *, by_width: bool) -> None:
    if getattr(generator.unet, "peft_config", None):
        return
    # Every machine must start from the same factors, whatever it computes on: they are averaged
    # from then on. So they are drawn on the CPU.
    device = generator.device
    if device.type not in ("cpu", "meta"):
        generator.unet.to("cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator.unet.add_adapter(
            LoraConfig(
                r=rank,
                lora_alpha=rank,
                target_modules=list(_ATTENTION_PROJECTIONS),
                init_lora_weights="gaussian",
            ),
            adapter_name=_LORA_NAME,
        )
    if by_width:
        _start_by_width(generator.unet, rank)
    generator.unet.to(device)


def _start_by_width(unet: nn.Module, rank: int) -> None:
    """Give first factors of deviation 1 / rank the deviation 1 / root of their layer's width.

    A step of the second factor then moves a wide layer no further than a narrow one.
    """
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if ".lora_A." in name:
                parameter.mul_(rank / parameter.shape[1] ** 0.5)


def replace_tensors(generator: Generator, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Put other values into a generator, in place.

    Args:
        generator: A base, before low-rank layers are added to it.
        tensors: New values by parameter name.

    Raises:
        ModelError: If a name or a shape is not the generator's.
    """
    parameters = dict(generator.named_parameters())
    with torch.no_grad():
        for name, array in tensors.items():
            if name not in parameters or tuple(parameters[name].shape) != array.shape:
                raise ModelError(
                    f"The base has no tensor {name} of shape {array.shape}.",
                    hint="The tensors were made for another base.",
                )
            parameters[name].copy_(torch.from_numpy(array.copy()))
