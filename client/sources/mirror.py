"""The mirrored folder: instances that are whole or absent, and what is known about them.

Layout: ``images/`` is what the index reads, and holds nothing but finished files;
``incoming/`` are unfinished files; ``state.sqlite`` says what the source listed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...common.locks import holding
from ...errors import DataError
from ...imaging.dicom.files.patient import patient_of
from .instance import Instance

_SCHEMA = """
CREATE TABLE IF NOT EXISTS studies (
    uid TEXT PRIMARY KEY, owner TEXT NOT NULL, listing INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS instances (
    path TEXT PRIMARY KEY, study TEXT NOT NULL, series TEXT NOT NULL, uid TEXT NOT NULL,
    size INTEGER NOT NULL, listing INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS by_study ON instances (study);
CREATE TABLE IF NOT EXISTS listings (number INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS listed (uid TEXT PRIMARY KEY, owner TEXT NOT NULL);
"""


#: Whether the patient of an identifier wants no part in any study.
IsOptedOut = Callable[[str], bool]


def nobody(identifier: str) -> bool:
    """Stand for an empty opt-out list."""
    return False


@dataclass(frozen=True)
class MirrorReport:
    """What bringing a mirror up to date did.

    Attributes:
        studies: Studies that the source has.
        instances: Instances that the mirror has now.
        fetched: Instances that are new, or were fetched anew because they changed.
        removed: Instances that the source has no longer.
        failed: Instances that could not be fetched, or were not what was asked for.
        opted_out: Instances of patients who opted out: they were not taken in, or removed.
    """

    studies: int
    instances: int
    fetched: int
    removed: int
    failed: int
    opted_out: int = 0


class Mirror:
    """A mirror's folder. Use :meth:`open`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images, self.incoming = root / "images", root / "incoming"
        for folder in (self.images, self.incoming):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in self.incoming.iterdir():
            path.unlink()
        self._state = sqlite3.connect(root / "state.sqlite", isolation_level=None)
        self._state.execute("PRAGMA journal_mode=WAL")
        self._state.execute("PRAGMA synchronous=NORMAL")
        self._state.executescript(_SCHEMA)

    @classmethod
    @contextmanager
    def open(cls, root: Path) -> Iterator[Mirror]:
        """Open a mirror to change it; unfinished files of a killed process are removed.

        Raises:
            DataError: If another process is changing it, or its state is damaged.
        """
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

        def busy(holder: str) -> DataError:
            return DataError(
                f"Another process is bringing {root} up to date.",
                hint=f"Wait until it has ended: it is process {holder}.",
            )

        with holding(root / "lock", 0, busy):
            try:
                mirror = cls(root)
            except sqlite3.DatabaseError as error:
                raise DataError(
                    f"{root / 'state.sqlite'} is damaged.",
                    hint="Delete it: the mirror then compares all instances anew.",
                ) from error
            try:
                yield mirror
            finally:
                mirror._state.close()

    def begin_listing(self) -> int:
        """Begin a new listing of the source and return its number."""
        self._state.execute("DELETE FROM listed")
        cursor = self._state.execute("INSERT INTO listings DEFAULT VALUES")
        return int(cursor.lastrowid or 0)

    def list_study(self, study: str, owner: str) -> bool:
        """Put a study on the list; return whether it was not on it yet."""
        cursor = self._state.execute("INSERT OR IGNORE INTO listed VALUES (?, ?)", (study, owner))
        return cursor.rowcount > 0

    def listed_studies(self) -> Iterator[tuple[str, str]]:
        """Yield the listed studies with their owners."""
        for row in self._in_pieces("SELECT uid, owner FROM listed WHERE uid > ? ORDER BY uid"):
            yield row[0], row[1]

    def missing_studies(self) -> Iterator[str]:
        """Yield the studies that the mirror has and that are not on the list."""
        rows = self._in_pieces(
            "SELECT uid FROM studies WHERE uid > ? AND uid NOT IN (SELECT uid FROM listed) "
            "ORDER BY uid"
        )
        yield from (uid for (uid,) in rows)

    def count_listed(self) -> int:
        """Count the studies on the list."""
        return int(self._state.execute("SELECT COUNT(*) FROM listed").fetchone()[0])

    def has(self, instance: Instance) -> bool:
        """Whether an instance is in the mirror, in full length."""
        path = instance.path
        row = self._state.execute(
            "SELECT size FROM instances WHERE path = ?", (str(path),)
        ).fetchone()
        try:
            return row is not None and (self.images / path).stat().st_size == row[0]
        except OSError:
            return False

    def note_study(self, study: str, owner: str, listing: int) -> None:
        """Put on record that a listing has a study, and whose it is.

        A study that was given to another patient keeps its UIDs and gets other headers: all of
        its instances then count as missing.
        """
        with self._state:
            self._state.execute("BEGIN IMMEDIATE")
            self._state.execute(
                "DELETE FROM instances WHERE study = ? AND study NOT IN "
                "(SELECT uid FROM studies WHERE uid = ? AND owner = ?)",
                (study, study, owner),
            )
            self._state.execute(
                "INSERT OR REPLACE INTO studies VALUES (?, ?, ?)", (study, owner, listing)
            )

    def note(self, instance: Instance, listing: int) -> None:
        """Put on record that a listing has an instance whose file is in place."""
        path = instance.path
        size = (self.images / path).stat().st_size
        self._state.execute(
            "INSERT OR REPLACE INTO instances VALUES (?, ?, ?, ?, ?, ?)",
            (str(path), instance.study, instance.series, instance.uid, size, listing),
        )

    def remove_unlisted(self, listing: int) -> int:
        """Remove what a listing did not have, and return how many instances that were."""
        count = 0
        while rows := self._state.execute(
            "SELECT study, series, uid FROM instances WHERE listing < ? LIMIT 1000", (listing,)
        ).fetchall():
            for row in rows:
                self._remove(Instance(*row))
                count += 1
        self._state.execute("DELETE FROM studies WHERE listing < ?", (listing,))
        return count

    def remove_patients(self, opted_out: IsOptedOut) -> int:
        """Remove all files of some patients, also those that wait, and return how many."""
        count = 0
        for folder in (self.images, self.root / "arrived", self.root / "receiving"):
            for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
                if path.is_file() and opted_out(patient_of(path)):
                    _unlink(path)
                    self._state.execute(
                        "DELETE FROM instances WHERE path = ?", (str(path.relative_to(folder)),)
                    )
                    count += 1
        return count

    def sweep(self) -> None:
        """Remove files that are on no record, as after a deleted ``state.sqlite``."""
        for path in sorted(self.images.rglob("*.dcm")):
            row = self._state.execute(
                "SELECT 1 FROM instances WHERE path = ?", (str(path.relative_to(self.images)),)
            ).fetchone()
            if row is None:
                _unlink(path)

    def count(self) -> tuple[int, int]:
        """Count studies and instances of the mirror."""
        query = "SELECT COUNT(DISTINCT study), COUNT(*) FROM instances"
        studies, instances = self._state.execute(query).fetchone()
        return int(studies), int(instances)

    def _remove(self, instance: Instance) -> None:
        _unlink(self.images / instance.path)
        self._state.execute("DELETE FROM instances WHERE path = ?", (str(instance.path),))

    def _in_pieces(self, query: str) -> Iterator[tuple[str, ...]]:
        """Yield the rows of a query that is ordered by its first column and begins after it."""
        last = ""
        while rows := self._state.execute(f"{query} LIMIT 1000", (last,)).fetchall():
            yield from rows
            last = rows[-1][0]


def _unlink(path: Path) -> None:
    """Remove a file, and its folders where they are empty then."""
    path.unlink(missing_ok=True)
    for folder in (path.parent, path.parent.parent):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
