"""Sample images of the model in training, as PNG files that say they are synthetic."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.files import replacing
from ..errors import ModelError
from .checkpoint import FederationState
from .events import Observer, WorkSkipped

if TYPE_CHECKING:
    from ..model.generator import Generator

#: Share of a run's time that may go into drawing; slow drawings leave rounds out.
_SHARE = 0.05
_PER_PROMPT = 4
_NAME = re.compile(r"round-([0-9]{6})\.png")
_log = logging.getLogger(__name__)


class Previews:
    """Draws the same prompts from the same noise after rounds, so that the eye can compare.

    Args:
        folder: Where the PNG files go.
        prompts: Captions to draw; none draws nothing.
        generator: The generator in training.
        load: Puts a state's tensors into the generator.
        seed: Seed of the noise.
        measure: Called with each round that is drawn, while its tensors are in the generator.
        clock: Returns seconds from any moment on.
    """

    def __init__(
        self,
        folder: Path,
        *,
        prompts: Sequence[str],
        generator: Generator,
        load: Callable[[FederationState], None],
        seed: int,
        measure: Callable[[int], None] = lambda number: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._prompts = list(prompts)
        self._generator = generator
        self._load = load
        self._seed = seed
        self._measure = measure
        self._clock = clock
        self._next = -float("inf")

    def begin(self, state: FederationState) -> None:
        """Measure what the next round begins with; nothing without prompts."""
        if self._prompts:
            self._load(state)
            self._measure(state.round)

    def __call__(self, state: FederationState, last: bool) -> None:
        """Draw, unless drawing takes too much of the time; always after the last round."""
        start = self._clock()
        if not self._prompts or (start < self._next and not last):
            return
        self._load(state)
        try:
            self._draw(state.round)
        except (OSError, ModelError) as failure:
            # Neither a full disk nor an ugly image may end a training that is paid for.
            _log.warning("No sample images of round %d: %s", state.round, failure)
        self._measure(state.round)
        duration = self._clock() - start
        self._next = start + duration / _SHARE

    def _draw(self, number: int) -> None:
        # Whoever only looks for pictures opens no network library.
        from ..model.marking import png_text, stack, strip
        from ..model.sampling import sample

        captions = [prompt for prompt in self._prompts for _ in range(_PER_PROMPT)]
        images = sample(self._generator, captions, seed=self._seed)
        label = f"round {number}"
        strips = [
            (prompt, strip(images[row * _PER_PROMPT :][:_PER_PROMPT], label=label, synthetic=True))
            for row, prompt in enumerate(self._prompts)
        ]
        texts = {"Description": f"Samples after round {number}", "Seed": str(self._seed)}
        with replacing(preview_file(self._folder, number)) as draft:
            stack(strips).save(draft, "PNG", pnginfo=png_text(texts, synthetic=True))


def preview_file(folder: Path, number: int) -> Path:
    """Return where the images after a round are."""
    return folder / f"round-{number:06d}.png"


def preview_rounds(folder: Path) -> list[int]:
    """Return the rounds of which there are images, ascending."""
    matches = [_NAME.fullmatch(path.name) for path in folder.glob("round-*.png")]
    return sorted(int(match[1]) for match in matches if match)


def no_previews(observe: Observer) -> Callable[[FederationState, bool], None]:
    """Draw nothing, and say so once: a base of many weights would keep a CPU for hours."""
    what = "sample images and the loss on public images"
    observe(WorkSkipped(what=what, reason="the base is too large for the coordinator's CPU"))
    return lambda state, last: None
