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

#: What a U-Net may predict; with anything else it would be trained towards a wrong target.
_PREDICTIONS = ("epsilon", "v_prediction")
#: Parts of a Stable Diffusion pipeline.
_PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
_HINT = "Bases are generators made by fedscan, and folders of Stable Diffusion 1 and 2."


def require_generator(folder: Path) -> Path:
    """Return the file that says what a generator's folder consists of.

    Raises:
        ModelError: If the folder has none.
    """
    index = folder / "model_index.json"
    if not folder.is_dir():
        raise ModelError(
            f"There is no folder {folder}.",
            hint="Name a generator's folder. fedscan fetches nothing from a hub: "
            "`hf download NAME --local-dir FOLDER` makes one of a hub's name.",
        )
    if (folder / "configs" / "metadata.json").is_file():
        inner = folder / "models" / "generator"
        raise ModelError(
            f"{folder} is a MONAI bundle, not a generator.",
            hint=f"Name {inner}."
            if inner.is_dir()
            else "Networks of volumes such as MAISI are not supported as bases: docs/3d-bases.md "
            "says what it would take.",
        )
    if not index.is_file():
        raise ModelError(
            f"{folder} is not a generator: it has no model_index.json.",
            hint="Name the folder that `fedscan simulate` or `fedscan pretrain` wrote.",
        )
    return index


def is_own(index: Path) -> bool:
    """Whether a generator's folder is of fedscan's kind, not a Stable Diffusion pipeline."""
    return "caption_encoder" in json.loads(index.read_text(encoding="utf-8"))


def require_kind(folder: Path) -> None:
    """Refuse a folder of another kind than those that are opened, by its configurations alone.

    Raises:
        ModelError: If it is a pipeline with other parts, such as Stable Diffusion XL, or its U-Net
            predicts what training does not know.
        OSError: If a configuration is missing.
        ValueError: If one is damaged.
    """
    index = require_generator(folder)
    parts = json.loads(index.read_text(encoding="utf-8"))
    if not is_own(index):
        name = parts.get("_class_name")
        if "text_encoder_2" in parts or "XL" in str(name):
            raise ModelError(
                f"{folder} is Stable Diffusion XL ({name}), with two text encoders, which fedscan "
                "does not train.",
                hint=_HINT,
            )
        if missing := [part for part in _PARTS if part not in parts]:
            raise ModelError(f"{folder} ({name}) has no {', '.join(missing)}.", hint=_HINT)
    schedule = json.loads((folder / "scheduler" / "scheduler_config.json").read_text("utf-8"))
    prediction = schedule.get("prediction_type", "epsilon")
    if prediction not in _PREDICTIONS:
        raise ModelError(
            f"The U-Net in {folder} predicts {prediction!r}, which fedscan does not train.",
            hint=f"Its scheduler's prediction_type may be {' or '.join(_PREDICTIONS)}.",
        )


def read_image_sizes(folder: Path) -> tuple[int, ...]:
    """Read the sides in pixels that a generator can be trained at; see that its files are whole.

    Args:
        folder: A folder that :func:`~fedscan.model.storage.load_generator` opens.

    Returns:
        Its own first. Stable Diffusion takes others too, from half of it to twice: its own is that
        of its training, and its networks are made of convolutions and attention.

    Raises:
        ModelError: If it is none, or a configuration or the frame of a file of weights is damaged.
    """
    index = require_generator(folder)
    try:
        require_kind(folder)
        for file in sorted(folder.rglob("*.safetensors")):
            with safe_open(file, "numpy"):
                pass  # its header and its length
        autoencoder = _config(folder / "vae")
        if is_own(index):
            return (int(autoencoder["sample_size"]),)
        # As in stable_diffusion/opening.py: images are made at the size of the U-Net.
        unet = _config(folder / "unet")
        downscale = 2 ** (len(autoencoder["block_out_channels"]) - 1)
        return _sizes(unet, downscale)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"The generator in {folder} cannot be read: {error}",
            hint="Restore the folder from where it was made.",
        ) from error


def size_taken(folder: Path, side: int | None) -> int:
    """Return the side at which a generator is opened: the one that is wanted, if it takes that.

    Args:
        folder: Its folder.
        side: What is wanted, in pixels; the generator's own if ``None``.

    Raises:
        ModelError: As :func:`read_image_sizes`.
    """
    sizes = read_image_sizes(folder)
    return side if side in sizes else sizes[0]


def _sizes(unet: Any, downscale: int) -> tuple[int, ...]:
    own = int(unet["sample_size"]) * downscale
    # Each resolution of the U-Net must have whole cells.
    step = downscale * 2 ** (len(unet["block_out_channels"]) - 1)
    others = range(-(-own // 2 // step) * step, 2 * own + 1, step)
    return (own, *(side for side in others if side != own))


def _config(part: Path) -> Any:
    return json.loads((part / "config.json").read_text(encoding="utf-8"))
