"""Where a generated image comes from: what every file of it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ... import __version__
from ...model.marking import NOTICE


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Origin of one generated image or volume.

    Attributes:
        prompt: What was asked for, in the user's words.
        caption: What the generator was given.
        seed: Seed of the run.
        index: Number of the image in the run: seed and index give it again.
        generator: Digest of the generator (64 hex digits).
        derivation: What was done to a given image, such as "denoised"; empty for images made
            from nothing but noise.
    """

    prompt: str
    caption: str
    seed: int
    index: int
    generator: str
    derivation: str = ""

    def facts(self) -> dict[str, Any]:
        """Return all of it, JSON-ready."""
        derivation = {"derivation": self.derivation} if self.derivation else {}
        return {
            "synthetic": True,
            "notice": NOTICE,
            "prompt": self.prompt,
            "caption": self.caption,
            "seed": self.seed,
            "index": self.index,
            "generator": self.generator,
            "software": f"fedscan {__version__}",
            **derivation,
        }
