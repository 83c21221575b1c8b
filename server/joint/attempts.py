"""Which attempt of each sum is under way and for which sites: on disk before a site is told.

A site opens its part for one set of members, ever. A coordinator that was killed in between must
therefore ask for the very same ones again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ...common.files import write_atomically
from ...errors import CheckpointError


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The current attempt of a sum.

    Attributes:
        number: Counts from 1.
        members: The sites whose parts are in it, sorted; empty until that is settled.
    """

    number: int = 1
    members: tuple[str, ...] = ()


class Attempts:
    """The attempts of a run's sums, by round; round 0 is that of the statistics.

    Args:
        path: The file that keeps them; it need not exist.

    Raises:
        CheckpointError: If it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._of: dict[int, Attempt] = {}
        try:
            for number, one in json.loads(path.read_bytes()).items():
                members = tuple(map(str, one["members"]))
                self._of[int(number)] = Attempt(number=int(one["number"]), members=members)
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{path} is damaged.",
                hint="Restore it from a backup. Without it sites may refuse their current sum, and "
                "the next attempt is paid for again.",
            ) from error

    def current(self, number: int) -> Attempt:
        """Return the attempt of a round that is under way."""
        return self._of.get(number, Attempt())

    def settle(self, number: int, members: tuple[str, ...]) -> None:
        """Fix the members of the current attempt."""
        self._set(number, Attempt(number=self.current(number).number, members=members))

    def give_up(self, number: int) -> None:
        """Begin a round's sum anew: what sites answer to the current attempt is of no use."""
        self._set(number, Attempt(number=self.current(number).number + 1))

    def spare_used(self) -> int:
        """Return how many attempts of rounds were given up; those of the statistics not counted."""
        return sum(one.number - 1 for number, one in self._of.items() if number)

    def _set(self, number: int, attempt: Attempt) -> None:
        self._of[number] = attempt
        content = {str(key): asdict(one) for key, one in sorted(self._of.items())}
        write_atomically(self._path, json.dumps(content, indent=2).encode())
