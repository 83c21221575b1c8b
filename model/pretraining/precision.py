"""bfloat16 where the hardware multiplies it faster than float32: public images, no accounting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers.models.attention_processor import AttnProcessor

from ..generator import Generator


@contextmanager
def mixed_precision(generator: Generator) -> Iterator[None]:
    """Multiply in bfloat16 within, with float32 weights (Micikevicius et al., arXiv 1710.03740).

    Gradients of private training are never taken in it: their clipping and noise are those of
    float32.

    Args:
        generator: What computes within. On a CPU or GPU that does not multiply it, nothing
            changes.
    """
    if not _is_faster(generator.device):
        yield
        return
    processors = generator.unet.attn_processors
    if generator.device.type == "cpu":
        # The fused attention's backward pass in bfloat16 is up to ten times slower on CPUs.
        generator.unet.set_attn_processor(AttnProcessor())
    try:
        with torch.autocast(generator.device.type, torch.bfloat16):
            yield
    finally:
        generator.unet.set_attn_processor(processors)


def _is_faster(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
    return False
