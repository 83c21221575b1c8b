"""A ledger's folder, opened by one process: lock, lines, secrets and what they add up to."""

from __future__ import annotations

import os
import secrets
from functools import partial
from pathlib import Path

from ...common.locks import Lock, take_lock
from ...errors import LedgerError
from .book import Book
from .durable import make_folder
from .entries import Genesis, Record, make
from .journal import Journal, LedgerHead, read
from .secret_store import SecretStore

LOCK = "lock"


class LedgerFiles:
    """An open folder. Use :meth:`open`.

    Attributes:
        journal: The lines.
        book: What they add up to.
        store: The secrets.
    """

    def __init__(
        self, folder: Path, lock: Lock, data_set: str, *, colluding_sites: int = 0
    ) -> None:
        genesis = make(Genesis, data_set=data_set, ledger=secrets.token_hex(32))
        self._folder, self._lock, self._owner = folder, lock, os.getpid()
        contents = read(folder)
        self.book = Book(contents.entries if contents else [], colluding_sites=colluding_sites)
        if contents and self.book.data_set != data_set:
            raise LedgerError(
                f"The ledger belongs to data set {self.book.data_set!r}, not to {data_set!r}.",
                hint="Each data set has a ledger of its own; give that one's folder.",
            )
        self.store = SecretStore(folder)
        _tidy(self.store, self.book, len(contents.entries) if contents else 0)
        if contents:
            self.journal = Journal(folder, contents)
        else:
            self.journal = Journal.begin(folder, genesis)
            self.book.add(self.journal.entries[0])
        self._open = True

    @classmethod
    def open(
        cls, folder: Path, data_set: str, lock_timeout: float, *, colluding_sites: int = 0
    ) -> LedgerFiles:
        """Open a ledger's folder, or begin one; see :meth:`Ledger.open`."""
        try:
            make_folder(folder, 0o750)
            lock = take_lock(folder / LOCK, lock_timeout, partial(_locked, lock_timeout))
            try:
                return cls(folder, lock, data_set, colluding_sites=colluding_sites)
            except BaseException:
                lock.release()
                raise
        except OSError as error:
            raise LedgerError(
                f"The ledger cannot be opened: {error.strerror}.",
                hint="It needs a folder of the site that this user may write to, with room.",
            ) from error

    def close(self) -> None:
        """Close the folder and let others in."""
        if self._open:
            self._open = False
            self.journal.close()
            self._lock.release()

    def append(self, record: Record) -> None:
        """Put a record on the disk and into the book."""
        self.book.add(self.journal.append(record))

    def require_open(self) -> None:
        """Check that this process may use the folder.

        Raises:
            LedgerError: If it was closed, or opened by a process this one was forked from.
        """
        if not self._open:
            raise LedgerError("The ledger is closed.", hint="Open it again.")
        if os.getpid() != self._owner:
            raise LedgerError(
                "The ledger was opened by a process that this one was forked from.",
                hint="Use it in the process that opened it.",
            )

    def verify(self, head: LedgerHead | None) -> None:
        """Read everything again and check it; see :meth:`Ledger.verify`."""
        contents = read(self._folder)
        if contents is None or contents.head != self.journal.head:
            raise LedgerError(
                "The ledger on the disk is not the one that was opened.",
                hint="Something else wrote to its files; see 'Recovery' in docs/ledger.md.",
            )
        contents.require(head)
        for reservation in Book(contents.entries).reservations.values():
            if not reservation.erased:
                self.store.read(reservation.sequence, reservation.record.commitment)


def _locked(waited_s: float, holder: str) -> LedgerError:
    return LedgerError(
        f"The ledger is locked by process {holder} (waited {waited_s:g} s).",
        hint="One process at a time may spend a data set's budget: let that one finish or stop it.",
    )


def _tidy(store: SecretStore, book: Book, length: int) -> None:
    """Finish what a crash interrupted among the secrets; refuse what no crash explains."""
    for sequence in store.sequences():
        reservation = book.reservations.get(sequence)
        if reservation is None and sequence == length:
            # Its line was never confirmed, so nobody was given it.
            store.discard(sequence)
        elif reservation is None:
            raise LedgerError(
                f"There is a secret for entry {sequence}, which the ledger of {length} entries "
                "does not reserve.",
                hint="The ledger was replaced by an older copy or mixed with another one. What "
                "was spent since is missing; see 'Recovery' in docs/ledger.md.",
            )
        elif reservation.erased:
            store.erase(sequence)
