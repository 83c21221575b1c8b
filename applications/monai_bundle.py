"""A generator as a MONAI bundle: the folder that MONAI's users open, look through and run.

The form is that of MONAI's bundle specification: ``configs/metadata.json`` says what it is,
``configs/inference.json`` what happens when it is run, and ``models/`` holds the weights. fedscan
must be installed where it is run, as the metadata says.
"""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import __version__
from ..common.files import filling
from ..errors import DataError
from ..model.model_card import NOT_FOR_DIAGNOSIS
from ..model.storage import find_generator
from .generator import LoadedGenerator, load_generator

#: Where the generator lies in a bundle.
_GENERATOR = Path("models") / "generator"
_CONFIGS = "configs"


def write_monai_bundle(model: Path, out: Path) -> Path:
    """Write a generator as a MONAI bundle, for ``monai.bundle`` to load and to sample from.

    Args:
        model: The generator's folder, or that of a run that holds one.
        out: Folder of the bundle; new or empty.

    Returns:
        The folder.

    Raises:
        DataError: If the folder holds something.
        ModelError: If there is no generator, or it is damaged.
    """
    if out.exists() and any(out.iterdir()):
        raise DataError(f"{out} is not empty.", hint="Choose another --out.")
    folder = find_generator(model)
    generator = load_generator(folder, "cpu")
    with filling(out, last="metadata.json") as bundle:
        for name in (_CONFIGS, "docs"):
            (bundle / name).mkdir()
        shutil.copytree(folder, bundle / _GENERATOR)
        for name, content in (
            ("metadata.json", _metadata(generator)),
            ("inference.json", _inference(generator)),
        ):
            text = json.dumps(content, indent=4) + "\n"
            (bundle / _CONFIGS / name).write_text(text, encoding="utf-8")
        shutil.copyfile(folder / "README.md", bundle / "docs" / "README.md")
    return out


def _metadata(generator: LoadedGenerator) -> dict[str, Any]:
    side = generator.image_size
    channels, height, width = generator.network.latent_shape
    latents = {
        "type": "latent",
        "format": "other",
        "num_channels": channels,
        "spatial_shape": [height, width],
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
    }
    return {
        "version": "1.0.0",
        "changelog": {"1.0.0": f"Written by fedscan {__version__}."},
        "monai_version": version("monai"),
        "pytorch_version": version("torch"),
        "numpy_version": version("numpy"),
        "required_packages_version": {"fedscan": __version__},
        "name": "fedscan generator",
        "task": "Generation of synthetic medical images",
        "description": "A generator that hospitals trained together with differential privacy.",
        "authors": "See docs/README.md",
        "copyright": "See docs/README.md",
        "intended_use": NOT_FOR_DIAGNOSIS,
        "generator_digest": generator.digest,
        "network_data_format": {
            "inputs": {"latent": latents, "timesteps": {"type": "vector"}},
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "magnitude",
                    "num_channels": 1,
                    "spatial_shape": [side, side],
                    "dtype": "float32",
                    "value_range": [-1, 1],
                    "is_patch_data": False,
                    "channel_def": {"0": "image"},
                }
            },
        },
    }


def _inference(generator: LoadedGenerator) -> dict[str, Any]:
    return {
        "imports": ["$import fedscan", "$from pathlib import Path"],
        "bundle_root": ".",
        "generator_dir": f"$str(Path(@bundle_root) / {_GENERATOR.as_posix()!r})",
        "output_dir": "$str(Path(@bundle_root) / 'output')",
        "device": "auto",
        "prompts": [_prompt(generator)],
        "count": 4,
        "seed": 0,
        "steps": 12,
        "guidance": 2.0,
        "generator": "$fedscan.load_generator(@generator_dir, @device)",
        "network_def": "$@generator.network.unet",
        "request": "$fedscan.GenerateRequest(prompts=@prompts, count=@count, seed=@seed, "
        "steps=@steps, guidance=@guidance)",
        "images": "$fedscan.generate(@generator, @request)",
        "run": ["$@images.write(Path(@output_dir))"],
    }


def _prompt(generator: LoadedGenerator) -> str:
    """Ask for something that the generator's card says it has learnt, if it says anything."""
    learnt = generator.learnt
    groups = sorted(learnt.combinations | learnt.regions) if learnt else []
    return f"{groups[0][0]} of the {groups[0][1]}" if groups else "axial CT of the head"
