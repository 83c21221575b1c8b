"""What an open ledger can tell, without changing anything."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ..accounting import epsilon as composed_epsilon
from ..mechanism import SubsampledGaussian
from .book import Reserved, merge
from .entries import Entry
from .files import LedgerFiles
from .journal import LedgerHead
from .results import Spent


class Account:
    """An open ledger under its two ceilings, to be asked only."""

    def __init__(
        self, files: LedgerFiles, *, epsilon_ceiling: float, collusion_ceiling: float, delta: float
    ) -> None:
        self._files = files
        self._ceiling, self._collusion_ceiling = epsilon_ceiling, collusion_ceiling
        self._delta = delta
        self._mutex = threading.RLock()

    def epsilon_with(self, mechanisms: Sequence[SubsampledGaussian]) -> float:
        """Return what would be spent in all if these mechanisms were run too."""
        everything = merge([*self._files.book.mechanisms(), *mechanisms])
        return composed_epsilon(everything, self._delta)

    def collusion_epsilon_with(self, own: Sequence[SubsampledGaussian]) -> float:
        """Return the same by the site's own noise alone."""
        everything = merge([*self._files.book.own_mechanisms(), *own])
        return composed_epsilon(everything, self._delta)

    def spent(self, study: str | None = None) -> Spent:
        """Return what the data set has spent in its life, or one study's part of it.

        Every reservation counts, completed or not. What is left is not ``ceiling - epsilon``,
        because epsilons do not add up; ask :meth:`epsilon_with`.
        """
        with self._mutex:
            mechanisms = self._files.book.mechanisms(study)
            own = self._files.book.own_mechanisms(study)
            return Spent(
                epsilon=composed_epsilon(mechanisms, self._delta),
                delta=self._delta,
                ceiling=self._ceiling,
                mechanisms=mechanisms,
                collusion_epsilon=composed_epsilon(own, self._delta),
                collusion_ceiling=self._collusion_ceiling,
            )

    def entries(self) -> tuple[Entry, ...]:
        """Return all entries in their order."""
        with self._mutex:
            return tuple(self._files.journal.entries)

    def find(self, request: str) -> Reserved | None:
        """Return the reservation of a request by its digest, if there is one."""
        with self._mutex:
            return self._files.book.find(request)

    def has_result(self, study: str, result: str) -> bool:
        """Return whether a result, by its digest, is on record as one of a study's."""
        with self._mutex:
            return any(
                one.record.study == study and one.result == result
                for one in self._files.book.reservations.values()
            )

    def head(self) -> LedgerHead:
        """Return the last line's place and digest. An auditor who keeps it can :meth:`verify`
        later that the history up to it was not changed. It reveals nothing.
        """
        with self._mutex:
            return self._files.journal.head

    def verify(self, expected_head: LedgerHead | None = None) -> LedgerHead:
        """Read everything from the disk again and check it.

        Args:
            expected_head: A head that was kept elsewhere; its line must still be in the history.

        Returns:
            The head.

        Raises:
            LedgerError: If a line or a secret is damaged or missing, or the history was changed.
        """
        with self._mutex:
            self._files.require_open()
            self._files.verify(expected_head)
            return self._files.journal.head
