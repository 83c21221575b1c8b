"""What would take a machine hours, told before it is begun."""

from __future__ import annotations

from ..generator import Generator

#: Weights of a U-Net above which one image takes a CPU a minute and more. The largest base that
#: `pretrain` makes has a tenth of Stable Diffusion's 860 million.
_LARGE = 300_000_000


def is_too_slow(generator: Generator) -> bool:
    """Return whether drawing or training of many images would take hours where it computes.

    Args:
        generator: A generator on its device.
    """
    weights = sum(parameter.numel() for parameter in generator.unet.parameters())
    return generator.device.type == "cpu" and weights > _LARGE
