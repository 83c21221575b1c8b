"""A training schedule by time: however fast the machine is, the learning rate runs its course."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator


class Pace:
    """Yields (step, learning rate) until the time is up: short warm-up, then half a cosine.

    Args:
        seconds: Time to run for; at least one step is made.
        highest: Highest learning rate.
        warm_up_steps: Steps over which the rate rises.
        clock: The time in seconds.
    """

    def __init__(
        self,
        seconds: float,
        highest: float,
        warm_up_steps: int = 100,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self.highest = highest
        self.warm_up_steps = warm_up_steps
        self.clock = clock
        #: Share of the time that had passed when the last step began.
        self.share = 0.0

    def __iter__(self) -> Iterator[tuple[int, float]]:
        start = self.clock()
        step = 0
        while True:
            self.share = (self.clock() - start) / self.seconds
            if self.share >= 1.0 and step > 0:
                return
            decay = 0.5 * (1.0 + math.cos(math.pi * min(self.share, 1.0)))
            rise = min(1.0, (step + 1) / self.warm_up_steps)
            yield step, self.highest * rise * max(decay, 0.01)
            step += 1
