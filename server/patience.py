"""When a round that got too few results asks again.

Some sites wait for people: they are paused, or their steward has not approved the study yet.
Others were lost in the middle of the round: their network was cut, or they were started anew.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from ..errors import NotApprovedError, PausedError
from .events import Observer, SitesAwaited
from .exchange import UNAVAILABLE

#: With these codes a site refuses until a person there, or the clock, lets it take part.
AWAITED = frozenset({NotApprovedError.code, PausedError.code})

#: Before the first repeated question, and between two of them at most: each carries the model.
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0

#: What can be done about a round that got too few results.
RESUME_HINT = (
    "See the sites' own logs, then go on: `fedscan simulate --resume` or "
    "`fedscan coordinator resume`. With --set federation.round_timeout_s or "
    "federation.wait_timeout_s it waits for longer, with federation.min_results for fewer sites."
)

#: So often a round asks sites again that were lost in it.
MOST_REPEATS = 3


class Patience:
    """Decides whether a round that got too few results asks the other sites again.

    Args:
        limit_s: How long to wait in all, in seconds.
        observe: Told for whom it waits, whenever that changes.
    """

    def __init__(self, limit_s: float, observe: Observer) -> None:
        self._deadline = time.monotonic() + limit_s
        self._pause_s = FIRST_PAUSE_S
        self._observe = observe
        self._last_wait: Mapping[str, str] = {}
        self._repeats = 0

    def waits(self, number: int, codes: Mapping[str, str]) -> bool:
        """Return whether to ask again; wait a while before, if it is for people.

        For lost sites nothing is waited here: a round begins to ask when enough are connected.

        Args:
            number: The round; 0 for the warm-up.
            codes: What the sites that gave no result answered, by name.
        """
        waiting = {site: code for site, code in codes.items() if code in AWAITED}
        seconds = self._deadline - time.monotonic()
        if not waiting:
            self._repeats += 1
            return UNAVAILABLE in codes.values() and self._repeats <= MOST_REPEATS
        if seconds <= 0:
            return False
        if waiting != self._last_wait:
            self._observe(SitesAwaited(round=number, sites=waiting))
            self._last_wait = waiting
        time.sleep(min(self._pause_s, seconds))
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return True
