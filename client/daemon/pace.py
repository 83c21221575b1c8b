"""How often a node asks its coordinator for the next message.

Flower asks every three seconds, which in a study of many short rounds is most of a round. Here the
pause is a tenth of the time that has passed since the last message: the answers of other sites,
which a round waits for, come about as soon as the own one. So no more than a tenth of any wait is
lost, and an idle node asks no more often than Flower's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from flwr.supernode import start_client_internal as node

SHORTEST_S = 0.5
_SHARE = 0.1

Call = Callable[..., Any]


class AskingPace:
    """Pauses between questions.

    Args:
        clock: Tells the time in seconds.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._last = -float("inf")

    def pause(self, longest_s: float) -> None:
        """Wait as long as it is worth, and no longer than Flower would."""
        worth = max(SHORTEST_S, _SHARE * (self._clock() - self._last))
        self._sleep(min(longest_s, worth))

    def noting(self, answer: Call) -> Call:
        """Wrap the sending of answers: from then on the next message is waited for."""

        def answered(**options: Any) -> None:
            try:
                answer(**options)
            finally:
                self._last = self._clock()

        return answered


def install() -> None:
    """Change Flower's node.

    Raises:
        AttributeError: If this release of Flower does it in another way.
    """
    pace = AskingPace()
    node._push_messages = pace.noting(node._push_messages)
    # Flower's module waits with this and asks nothing else of it.
    if node.time is not time:
        raise AttributeError("This release of Flower waits in another way.")
    node.time = SimpleNamespace(sleep=pace.pause)  # type: ignore[assignment]
