"""What a generator's folder says of it in its configurations: read at once, without its networks.

To open the networks takes seconds before the first of them is there. Who only asks what fits
together need not wait for that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..errors import ModelError


def require_generator(folder: Path) -> Path:
    """Return the file that says what a generator's folder consists of.

    Raises:
        ModelError: If the folder has none.
    """
    index = folder / "model_index.json"
    if not index.is_file():
        raise ModelError(
            f"{folder} is not a generator: it has no model_index.json.",
            hint="Name the folder that `fedscan simulate` or `fedscan pretrain` wrote.",
        )
    return index


def is_own(index: Path) -> bool:
    """Whether a generator's folder is of fedscan's kind, not a Stable Diffusion pipeline."""
    return "caption_encoder" in json.loads(index.read_text(encoding="utf-8"))


def read_image_size(folder: Path) -> int:
    """Read the side of a generator's images in pixels, and see that its files are whole.

    Args:
        folder: A folder that :func:`~fedscan.model.storage.load_generator` opens.

    Raises:
        ModelError: If it is none, or a configuration or the frame of a file of weights is damaged.
    """
    index = require_generator(folder)
    try:
        for file in sorted(folder.rglob("*.safetensors")):
            with safe_open(file, "numpy"):
                pass  # its header and its length
        autoencoder = _config(folder / "vae")
        if is_own(index):
            return int(autoencoder["sample_size"])
        # As in stable_diffusion.py: images are made at the size of the U-Net.
        downscale = 2 ** (len(autoencoder["block_out_channels"]) - 1)
        return int(_config(folder / "unet")["sample_size"]) * downscale
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"The generator in {folder} cannot be read: {error}",
            hint="Restore the folder from where it was made.",
        ) from error


def _config(part: Path) -> Any:
    return json.loads((part / "config.json").read_text(encoding="utf-8"))
