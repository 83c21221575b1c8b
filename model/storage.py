"""Saving and opening a generator as a diffusers pipeline folder, with a model card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from ..common.files import filling
from ..errors import ModelError
from .integrity.digest import generator_digest, weights_digest
from .outline import is_own, read_image_sizes, require_generator, require_kind
from .words.learnt import KEY as LEARNT
from .words.learnt import Combination, Learnt
from .words.tables import VOCABULARY, few_words, read_vocabulary, vocabulary_to_toml

__all__ = [
    "base_folder",
    "find_generator",
    "generator_digest",
    "load_generator",
    "save_generator",
    "shipped_base",
    "weights_digest",
]

if TYPE_CHECKING:
    from torch import Tensor

    from .generator import Generator
    from .networks.pixels import Autoencoder

# diffusers takes many seconds to import, and most who need a folder's digest never open it.

_CARD = "README.md"
_CARD_DATA = "fedscan.json"
#: Lets diffusers open the folder without fedscan being imported first (``trust_remote_code``).
_PIPELINE_MODULE = "pipeline.py"
_PIPELINE_SOURCE = '''"""Opens this folder with diffusers; the code comes from fedscan."""

from fedscan.model import pipeline as _installed


class FedscanPipeline(_installed.FedscanPipeline):
    """The pipeline of the installed fedscan."""
'''


def save_generator(
    generator: Generator,
    path: Path,
    card: Mapping[str, Any] | None = None,
    *,
    half_precision: bool = False,
    lora: Mapping[str, Tensor] | None = None,
) -> None:
    """Save a generator as a folder that ``DiffusionPipeline.from_pretrained`` opens.

    One that came from Stable Diffusion becomes such a folder again, for
    ``StableDiffusionPipeline.from_pretrained``.

    The folder's files are written beside it and then put in their places: of a disk that is full
    or a process that is killed in the middle of it nothing is left that looks like a generator.

    Args:
        generator: The generator; low-rank updates must be merged first.
        path: Folder to write; existing files of the same names are replaced.
        card: What the model card states (data, privacy, measures); also kept as JSON.
        half_precision: Store the weights as float16, at half the size.
        lora: Updates that were merged, to lie beside a folder of Stable Diffusion on their own.

    Raises:
        ModelError: If a weight is not finite, or the disk does not take the files; what was there
            before stays.
    """
    import torch

    from .integrity.finite import require_finite_weights
    from .model_card import render_model_card
    from .pipeline import FedscanPipeline

    facts = dict(card or {})
    before = next(generator.unet.parameters()).dtype
    try:
        if half_precision:
            generator.to(torch.float16)
        require_finite_weights(
            generator.state_dict(),
            "The generator is not saved: it",
            hint="Its training diverged: begin again with a smaller learning rate.",
        )
        with filling(path, last="model_index.json") as folder:
            if generator.stable_diffusion is not None:
                from .stable_diffusion.saving import save_stable_diffusion

                save_stable_diffusion(generator, folder, lora)
            else:
                FedscanPipeline.of(generator).save_pretrained(folder, safe_serialization=True)
                _name_our_code(folder)
                (folder / _PIPELINE_MODULE).write_text(_PIPELINE_SOURCE, encoding="utf-8")
            _forget_origin(folder)
            if generator.words != few_words():
                # One without the file has these: so had all before there were vocabularies.
                words = vocabulary_to_toml(generator.words)
                (folder / VOCABULARY).write_text(words, encoding="utf-8", newline="\n")
            for name, text in (
                (_CARD_DATA, json.dumps(facts, indent=2, sort_keys=True) + "\n"),
                (_CARD, render_model_card(generator, facts)),
            ):
                (folder / name).write_text(text, encoding="utf-8")
    except SafetensorError as error:
        raise ModelError(
            f"The generator cannot be saved in {path}: {error}.",
            hint="See that the disk has room, then run the same command again.",
        ) from error
    finally:
        generator.to(before)


def state_learnt(path: Path, combinations: Iterable[Combination]) -> None:
    """Add to a generator's card what its study saw together.

    Args:
        path: The generator's folder.
        combinations: What it saw; public from now on.
    """
    from .model_card import render_model_card

    generator = load_generator(path)
    facts = json.loads((path / _CARD_DATA).read_text("utf-8"))
    learnt = (generator.learnt or Learnt(complete=False)).with_study(exact=combinations)
    facts[LEARNT] = learnt.to_card()
    (path / _CARD_DATA).write_text(
        json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    (path / _CARD).write_text(render_model_card(generator, facts), encoding="utf-8")


def load_generator(path: Path | str, image_size: int | None = None) -> Generator:
    """Open a generator saved by :func:`save_generator`, or a Stable Diffusion pipeline folder.

    See :func:`~fedscan.model.stable_diffusion.opening.load_stable_diffusion` for the latter.

    Args:
        path: The folder.
        image_size: Side of its images in pixels, one of
            :func:`~fedscan.model.outline.read_image_sizes`; its own by default.

    Returns:
        The generator in float32, ready for training or sampling.

    Raises:
        ModelError: If the folder is missing, damaged or of another kind, may not be read, keeps
            its weights as pickles, has one that is missing or not finite, or does not take images
            of this size.
    """
    from .integrity.finite import require_finite_weights
    from .integrity.weights import require_readable
    from .stable_diffusion.opening import load_stable_diffusion

    folder = Path(path)
    index = require_generator(folder)
    try:
        require_readable(folder)
        require_kind(folder)
        own = is_own(index)
        generator = _load_fedscan(folder) if own else load_stable_diffusion(folder)
        generator.words = read_vocabulary(folder)
        generator.learnt = _learnt(folder)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The generator in {folder} cannot be opened: {error}",
            hint="Restore the folder from where it was made.",
        ) from error
    require_finite_weights(
        generator.state_dict(),
        f"The generator in {folder}",
        hint="Restore the folder from where it was made.",
    )
    if image_size is not None and image_size != generator.image_size:
        _resize(generator, folder, image_size)
    return generator


def find_generator(path: Path) -> Path:
    """Return the generator folder at ``path``, or within the run folder ``path``.

    Raises:
        ModelError: If there is none.
    """
    for folder in (path, path / "generator"):
        if (folder / "model_index.json").is_file():
            return folder
    raise ModelError(
        f"There is no generator in {path}.",
        hint="Give the folder that `fedscan simulate` or `fedscan pretrain` wrote.",
    )


def base_folder(setting: str) -> Path:
    """Return the folder of the base that a setting names; the one that ships if it is empty.

    Raises:
        ModelError: If it is empty, and this installation lacks the one that ships.
    """
    return Path(setting) if setting else shipped_base()


def shipped_base() -> Path:
    """Folder of the base generator that ships with fedscan.

    Raises:
        ModelError: If this installation lacks it.
    """
    folder = Path(str(files("fedscan.assets") / "base-small"))
    if not (folder / "model_index.json").is_file():
        raise ModelError(
            "This installation has no base generator.",
            hint="Install fedscan again, or make one with `fedscan pretrain`.",
        )
    return folder


def _resize(generator: Generator, folder: Path, image_size: int) -> None:
    if image_size not in (sizes := read_image_sizes(folder)):
        raise ModelError(
            f"The generator in {folder} does not make images of {image_size} pixels.",
            hint=f"It makes {', '.join(map(str, sorted(sizes)))}.",
        )
    generator.resize(image_size)


def _name_our_code(path: Path) -> None:
    """Let diffusers open the folder by the code in it, with ``trust_remote_code`` alone."""
    file = path / "model_index.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["_class_name"] = [Path(_PIPELINE_MODULE).stem, content["_class_name"]]
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _learnt(folder: Path) -> Learnt | None:
    file = folder / _CARD_DATA
    return Learnt.from_card(json.loads(file.read_text("utf-8"))) if file.is_file() else None


def _forget_origin(path: Path) -> None:
    """Take out of the configurations where on this machine their parts were loaded from."""
    for file in path.rglob("*config.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.pop("_name_or_path", None) is not None:
            file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _load_fedscan(folder: Path) -> Generator:
    from diffusers import DDPMScheduler, T2IAdapter, UNet2DConditionModel

    from .generator import Generator
    from .integrity.weights import align_weights, open_network
    from .text_encoder import CaptionEncoder

    generator = Generator(
        open_network(UNet2DConditionModel, folder, "unet"),
        open_network(T2IAdapter, folder, "adapter"),
        open_network(_autoencoder_class(folder), folder, "vae"),
        CaptionEncoder.from_pretrained(folder / "caption_encoder"),
        DDPMScheduler.from_pretrained(folder, subfolder="scheduler"),
    )
    align_weights(generator)
    return generator


def _autoencoder_class(folder: Path) -> type[Autoencoder]:
    """Of which kind the autoencoder is: bases of 64 pixels have one of diffusers' own."""
    from diffusers import AutoencoderKL

    from .networks.block_autoencoder import BlockAutoencoder

    name = json.loads((folder / "vae" / "config.json").read_text(encoding="utf-8"))["_class_name"]
    return {"AutoencoderKL": AutoencoderKL, "BlockAutoencoder": BlockAutoencoder}[name]
