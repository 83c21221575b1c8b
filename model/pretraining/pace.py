"""How long a training runs, and its learning rate on the way: by images seen, or by time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

#: The learning rate never falls below this share of the highest.
_LEAST_RATE = 0.01


@dataclass(frozen=True, kw_only=True)
class Duration:
    """When a training ends: at what comes first.

    Attributes:
        images: After so many images, the same one counted each time; no limit without it.
        seconds: After so much time, that before a stop included; no limit without it.
    """

    images: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        """Say it in words, for a base's card: ``128 images or 20 minutes``."""
        images = f"{self.images:,} images" if self.images else ""
        minutes = f"{self.seconds / 60:g} minutes" if self.seconds else ""
        return " or ".join(filter(None, (images, minutes)))

    def share(self, images: int, seconds: float) -> float:
        """Return which share of it is over, at least 0; 1 and more is the end."""
        return max(
            images / self.images if self.images else 0.0,
            seconds / self.seconds if self.seconds else 0.0,
        )


class Pace:
    """Yields (step, learning rate) until the end: a short warm-up, then half a cosine.

    Args:
        duration: When it ends; at least one step is made.
        highest: Highest learning rate.
        batch: Images of one step, over all processes.
        warm_up_steps: Steps over which the rate rises.
        clock: The time in seconds.
        step: Steps made before a stop.
        seconds: Time trained before a stop.
    """

    def __init__(
        self,
        duration: Duration,
        highest: float,
        *,
        batch: int,
        warm_up_steps: int = 100,
        clock: Callable[[], float] = time.monotonic,
        step: int = 0,
        seconds: float = 0.0,
    ) -> None:
        self.duration = duration
        self.highest = highest
        self.batch = batch
        self.warm_up_steps = warm_up_steps
        self.clock = clock
        #: The next step.
        self.step = step
        #: Time trained until the current step began.
        self.seconds = seconds
        #: Share that was over when the current step began.
        self.share_done = 0.0

    def __iter__(self) -> Iterator[tuple[int, float]]:
        start = self.clock() - self.seconds
        while True:
            self.seconds = self.clock() - start
            self.share_done = self.duration.share(self.step * self.batch, self.seconds)
            if self.share_done >= 1.0 and self.step > 0:
                return
            decay = 0.5 * (1.0 + math.cos(math.pi * min(self.share_done, 1.0)))
            rise = min(1.0, (self.step + 1) / self.warm_up_steps)
            yield self.step, self.highest * rise * max(decay, _LEAST_RATE)
            self.step += 1
