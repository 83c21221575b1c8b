"""Saving and opening a generator as a diffusers pipeline folder, with a model card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from ..errors import ModelError
from .words.learnt import KEY as LEARNT
from .words.learnt import Combination, Learnt
from .words.tables import VOCABULARY, few_words, read_vocabulary, vocabulary_to_toml

if TYPE_CHECKING:
    from .generator import Generator

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
) -> None:
    """Save a generator as a folder that ``DiffusionPipeline.from_pretrained`` opens.

    Args:
        generator: The generator; low-rank updates must be merged first.
        path: Folder to write; existing files of the same names are replaced.
        card: What the model card states (data, privacy, measures); also kept as JSON.
        half_precision: Store the weights as float16, at half the size.
    """
    import torch

    from .model_card import render_model_card
    from .pipeline import FedscanPipeline

    path.mkdir(parents=True, exist_ok=True)
    before = next(generator.unet.parameters()).dtype
    if half_precision:
        generator.to(torch.float16)
    try:
        FedscanPipeline.of(generator).save_pretrained(path, safe_serialization=True)
    finally:
        generator.to(before)
    _forget_origin(path)
    (path / _PIPELINE_MODULE).write_text(_PIPELINE_SOURCE)
    if generator.words != few_words():
        # A generator without the file has these: so had all before there were vocabularies.
        text = vocabulary_to_toml(generator.words)
        (path / VOCABULARY).write_text(text, encoding="utf-8", newline="\n")
    facts = dict(card or {})
    (path / _CARD_DATA).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
    (path / _CARD).write_text(render_model_card(generator, facts))


def state_learnt(path: Path, seen: Iterable[Combination]) -> None:
    """Add to a generator's card what its study saw together.

    Args:
        path: The generator's folder.
        seen: What it saw; public from now on.
    """
    from .model_card import render_model_card

    generator = load_generator(path)
    facts = json.loads((path / _CARD_DATA).read_text("utf-8"))
    learnt = (generator.learnt or Learnt(complete=False)).with_study(exact=seen)
    facts[LEARNT] = learnt.to_card()
    (path / _CARD_DATA).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
    (path / _CARD).write_text(render_model_card(generator, facts))


def load_generator(path: Path | str) -> Generator:
    """Open a generator saved by :func:`save_generator`, or a Stable Diffusion pipeline folder.

    See :func:`~fedscan.model.stable_diffusion.load_stable_diffusion` for what the latter brings.

    Args:
        path: The folder.

    Returns:
        The generator in float32, ready for training or sampling.

    Raises:
        ModelError: If the folder is missing, damaged or of another kind.
    """
    from .stable_diffusion import load_stable_diffusion

    folder = Path(path)
    index = folder / "model_index.json"
    if not index.is_file():
        raise ModelError(
            f"{folder} is not a generator: it has no model_index.json.",
            hint="Name the folder that `fedscan simulate` or `fedscan pretrain` wrote.",
        )
    try:
        parts = json.loads(index.read_text())
        fedscan = "caption_encoder" in parts
        generator = _load_fedscan(folder) if fedscan else load_stable_diffusion(folder)
        generator.words = read_vocabulary(folder)
        generator.learnt = _learnt(folder)
        return generator
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"The generator in {folder} cannot be opened: {error}",
            hint="Restore the folder from where it was made.",
        ) from error


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


def generator_digest(path: Path) -> str:
    """SHA-256 over all weight files of a generator folder."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.safetensors")):
        digest.update(file.relative_to(path).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _learnt(folder: Path) -> Learnt | None:
    file = folder / _CARD_DATA
    return Learnt.from_card(json.loads(file.read_text("utf-8"))) if file.is_file() else None


def _forget_origin(path: Path) -> None:
    """Take out of the configurations where on this machine their parts were loaded from."""
    for file in path.rglob("*config.json"):
        content = json.loads(file.read_text())
        if content.pop("_name_or_path", None) is not None:
            file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def _load_fedscan(folder: Path) -> Generator:
    import torch
    from diffusers import AutoencoderKL, DDPMScheduler, T2IAdapter, UNet2DConditionModel

    from .generator import Generator
    from .text_encoder import CaptionEncoder

    return Generator(
        UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=torch.float32),
        T2IAdapter.from_pretrained(folder, subfolder="adapter", torch_dtype=torch.float32),
        AutoencoderKL.from_pretrained(folder, subfolder="vae", torch_dtype=torch.float32),
        CaptionEncoder.from_pretrained(folder / "caption_encoder"),
        DDPMScheduler.from_pretrained(folder, subfolder="scheduler"),
    )
