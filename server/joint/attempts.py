"""Which attempt of each sum is under way and for which sites: on disk before a site is told.

A site opens its part for one set of members, ever. A coordinator that was killed in between must
therefore ask for the very same ones again, be it all at once or two halves (:mod:`.search`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...common.files import write_atomically
from ...errors import CheckpointError


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The current attempt of a sum.

    Attributes:
        number: Counts from 1.
        groups: For each sum that is opened the sites whose parts are in it, sorted; no site is in
            two of them. Empty until that is settled.
    """

    number: int = 1
    groups: tuple[tuple[str, ...], ...] = ()

    @property
    def members(self) -> tuple[str, ...]:
        """All sites whose parts are in one of the sums, sorted."""
        return tuple(sorted(name for group in self.groups for name in group))


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
                self._of[int(number)] = Attempt(number=int(one["number"]), groups=_groups(one))
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

    def settle(self, number: int, groups: Sequence[tuple[str, ...]]) -> None:
        """Fix the members of the current attempt's sums."""
        self._set(number, Attempt(number=self.current(number).number, groups=tuple(groups)))

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


def _groups(one: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    if "members" in one:  # as it was written before there were halves
        members = tuple(map(str, one["members"]))
        return (members,) if members else ()
    return tuple(tuple(map(str, group)) for group in one["groups"])
