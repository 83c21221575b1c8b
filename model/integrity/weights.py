"""Opening a network's weights: all of them, from safetensors, in files that may be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import ModelError

#: Bytes at whose multiples PyTorch puts what it makes itself.
_ALIGNMENT = 64
#: Ends of names of weight files that are pickles: to open one can run any code.
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
#: How hubs file weights of half precision.
_HALF = "fp16"
#: Folders of the networks that fedscan opens.
_PARTS = ("adapter", "caption_encoder", "text_encoder", "unet", "vae")


def open_network(kind: Any, folder: Path, part: str) -> Any:
    """Open one of a pipeline folder's networks in float32.

    Args:
        kind: Its diffusers class.
        folder: The pipeline's folder.
        part: Name of its folder in there.

    Raises:
        ModelError: If a weight is missing or of another shape.
        OSError: If the files are missing or damaged.
    """
    # Asked what it found: a weight that is missing would stay unset, on the meta device.
    network, loading = kind.from_pretrained(
        folder,
        subfolder=part,
        torch_dtype=torch.float32,
        use_safetensors=True,
        variant=weights_variant(folder / part),
        output_loading_info=True,
    )
    wrong = [*loading["missing_keys"], *(name for name, *_ in loading["mismatched_keys"])]
    if wrong:
        raise ModelError(
            f"{folder / part} has not all weights of the network: {wrong[0]} and "
            f"{len(wrong) - 1} more are missing or of another shape.",
            hint="Restore the folder from where it was made.",
        )
    return network


def align_weights(network: nn.Module) -> None:
    """Move weights that lie anywhere in a file's memory to where PyTorch puts its own.

    The last bits of a product depend on where its factors lie, and a copy of a network would give
    other ones than the network itself.

    Args:
        network: Changed in place; its numbers stay.
    """
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            if value.data_ptr() % _ALIGNMENT:
                value.data = value.data.clone()


def weights_variant(folder: Path) -> str | None:
    """Return under which variant a part's weights are filed: those of half precision often are.

    Args:
        folder: Folder of a network; may be missing.
    """
    names = [file.name for file in folder.glob("*.safetensors")]
    half = [name for name in names if f".{_HALF}." in name or f".{_HALF}-" in name]
    return _HALF if half and len(half) == len(names) else None


def require_readable(folder: Path) -> None:
    """Refuse a pipeline folder with files that may not be read, or with pickles for weights.

    Raises:
        ModelError: If there is such a file; names it.
    """
    for file in sorted(folder.rglob("*")):
        # Next to safetensors they are never opened, nor are parts that fedscan does not use.
        is_part = file.relative_to(folder).parts[0] in _PARTS
        pickle = is_part and file.suffix in _PICKLES and not any(file.parent.glob("*.safetensors"))
        if not os.access(file, os.R_OK | (os.X_OK if file.is_dir() else 0)):
            raise ModelError(
                f"{file} may not be read.",
                hint="Ask its owner for read access to the whole folder, as with "
                f"`chmod -R a+rX {folder}`.",
            )
        if pickle:
            raise ModelError(
                f"{file} keeps weights as a pickle, which can run code when it is opened.",
                hint="Convert it to safetensors and remove it: diffusers' "
                "`save_pretrained(folder, safe_serialization=True)` writes such a folder.",
            )
