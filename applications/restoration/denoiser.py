"""A trained denoising network: kept in a folder, asked about images of any size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch.nn.utils import convert_conv2d_weight_memory_format

from ...common.files import filling
from ...common.progress import Progress, no_progress
from ...errors import ModelError
from ...model.integrity.finite import require_finite_weights
from .network import DenoisingNetwork

Floats = NDArray[np.float32]

_WEIGHTS = "denoiser.safetensors"
_FACTS = "denoiser.json"
#: Side of the parts that large images are cut into, and what each sees beyond its edges.
_PART = 512
_MARGIN = 32


def save_denoiser(network: DenoisingNetwork, folder: Path, facts: Mapping[str, Any]) -> None:
    """Save a network in half precision, with what there is to say about it."""
    state = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    require_finite_weights(state, "The denoiser is not saved: it")
    text = json.dumps(dict(facts), indent=2, sort_keys=True) + "\n"
    with filling(folder, last=_WEIGHTS) as work:
        (work / _WEIGHTS).write_bytes(save(state))
        (work / _FACTS).write_text(text, encoding="utf-8")


def load_denoiser(folder: Path) -> DenoisingNetwork:
    """Open what :func:`save_denoiser` wrote.

    Raises:
        ModelError: If it is missing or damaged.
    """
    if not (folder / _WEIGHTS).is_file():
        raise ModelError(
            f"There is no denoiser in {folder}.", hint="Make one with `fedscan train-denoiser`."
        )
    network = DenoisingNetwork()
    hint = "Restore the folder from where it was made."
    try:
        network.load_state_dict(load_file(folder / _WEIGHTS))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The denoiser in {folder} cannot be opened: {error}",
            hint=hint,
        ) from error
    require_finite_weights(network.state_dict(), f"The denoiser in {folder}", hint)
    # Convolutions on a processor are faster with channels last.
    convert_conv2d_weight_memory_format(network.float(), torch.channels_last)
    return network.eval().requires_grad_(False)


def shipped_denoiser() -> Path:
    """Folder of the denoiser that ships with fedscan."""
    return Path(str(files("fedscan.assets") / "denoiser"))


def estimate_clean(
    network: DenoisingNetwork,
    noisy: Floats,
    sigma: Floats,
    on_progress: Progress = no_progress,
) -> Floats:
    """Estimate images, each seen in eight ways: turned and mirrored.

    The mean of the eight answers is better than any one (Timofte et al., CVPR 2016).

    Args:
        network: The network.
        noisy: ``[N, H, W]``, about [-1, 1].
        sigma: Standard deviation of the noise, likewise.
        on_progress: Told after each image.
    """
    estimates = []
    for image, strength in zip(noisy, sigma, strict=True):
        total = np.zeros(image.shape, np.float32)
        for turns in range(4):
            for step in (1, -1):
                inputs = [np.rot90(each, turns)[:, ::step] for each in (image, strength)]
                total += np.rot90(estimate_once(network, *inputs)[:, ::step], -turns)
        estimates.append(total / np.float32(8))
        on_progress("passes", len(estimates), len(noisy))
    return np.stack(estimates)


@torch.no_grad()
def estimate_once(network: DenoisingNetwork, noisy: Floats, sigma: Floats) -> Floats:
    """Estimate one image ``[H, W]`` seen as it is.

    Parts of a large one are estimated one by one, which bounds the memory.
    """
    channels = torch.from_numpy(np.stack([noisy, sigma]))[:, None]
    estimate = np.empty(noisy.shape, np.float32)
    for top in range(0, noisy.shape[0], _PART):
        for left in range(0, noisy.shape[1], _PART):
            up, before = min(top, _MARGIN), min(left, _MARGIN)
            window = channels[
                :, :, top - up : top + _PART + _MARGIN, left - before : left + _PART + _MARGIN
            ]
            part = network(window[:1], window[1:])[0, 0, up : up + _PART, before : before + _PART]
            estimate[top : top + _PART, left : left + _PART] = part.numpy()
    return estimate
