"""The chained lines on disk, and the durable word about the last one.

Two files: ``ledger.jsonl`` is only ever appended to; ``head.json`` holds the sequence number
and SHA-256 of the last line that was confirmed. A line counts as confirmed, and its caller
hears of it, only after the line and then the head are on the disk. So after a crash there is
at most one line that the head does not know:

* whole: it is kept, and counts as spent although nobody was told (the safe side);
* torn, whatever its bytes are: it is dropped, for nobody can have acted on it.

Any other difference between lines and head is damage, and nothing is ever repaired silently.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ...common.chain_head import head_from_text, head_to_text
from ...errors import LedgerError
from .durable import SHARED, replace_file, write_all
from .entries import NOTHING, Digest, Entry, Genesis, Record, decode, encode, line_digest

LINES, HEAD = "ledger.jsonl", "head.json"
_RESTORE = (
    "The ledger was edited, damaged or mixed with another copy. Keep all its files as they are "
    "and follow 'Recovery' in docs/ledger.md."
)


@dataclass(frozen=True)
class LedgerHead:
    """A ledger's state in two values: whoever keeps them can later tell if history changed.

    Attributes:
        sequence: Sequence number of the last line.
        digest: SHA-256 of that line with its newline, in hex.
    """

    sequence: int
    digest: str

    def __str__(self) -> str:
        return head_to_text(self.sequence, self.digest)

    @classmethod
    def parse(cls, text: str) -> LedgerHead:
        """Read what ``str`` wrote.

        Raises:
            LedgerError: If the text has another form.
        """
        return cls(*head_from_text(text, "a ledger", LedgerError))

    def to_json(self) -> bytes:
        """Return the one line of ``head.json``."""
        return json.dumps(asdict(self)).encode("ascii") + b"\n"


@dataclass(frozen=True)
class JournalContents:
    """What was found in a ledger's folder.

    Attributes:
        entries: All whole lines, checked against each other and the head.
        digests: SHA-256 of each of them.
        confirmed: Whether the head knows the last one.
        sound_bytes: Length of the whole lines; anything beyond is a torn line.
        torn_bytes: Length of the torn line.
    """

    entries: tuple[Entry, ...]
    digests: tuple[Digest, ...]
    confirmed: bool
    sound_bytes: int
    torn_bytes: int

    @property
    def head(self) -> LedgerHead:
        """The last whole line."""
        return LedgerHead(len(self.entries) - 1, self.digests[-1])

    def require(self, head: LedgerHead | None) -> None:
        """Check that a head which was kept elsewhere is part of this history.

        Raises:
            LedgerError: If its line is missing or another one.
        """
        if head is None:
            return
        if head.sequence >= len(self.digests) or self.digests[head.sequence] != head.digest:
            raise LedgerError(
                f"Line {head.sequence + 1} is not the one that was pinned: the history was "
                "changed or replaced by another.",
                hint=_RESTORE,
            )


def read(folder: Path) -> JournalContents | None:
    """Read and check a ledger's lines, changing nothing; needs no lock.

    Returns:
        The contents, or ``None`` where no ledger was ever begun.

    Raises:
        LedgerError: If a line is damaged, out of the chain or missing; names the line.
    """
    head = _read_head(folder)
    while True:
        lines = _read_lines(folder)
        # A writer confirms one line at a time: the same head before and after says that at
        # most one line was added in between.
        again = _read_head(folder)
        if again == head:
            break
        head = again
    if lines is None:
        if head is None:
            return None
        raise LedgerError(f"{LINES} is missing although {HEAD} exists.", hint=_RESTORE)
    return _check(lines, head)


class Journal:
    """The lines of one ledger, open for appending. The caller holds the folder's lock.

    Attributes:
        entries: All entries, the last one confirmed.
        head: The last of them.
    """

    def __init__(self, folder: Path, contents: JournalContents) -> None:
        self.entries = list(contents.entries)
        self.head = contents.head
        self._folder = folder
        self._length = contents.sound_bytes
        self._descriptor = os.open(folder / LINES, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._sound = True
        try:
            if contents.torn_bytes:
                os.ftruncate(self._descriptor, contents.sound_bytes)
            if contents.torn_bytes or not contents.confirmed:
                os.fsync(self._descriptor)
                replace_file(folder / HEAD, self.head.to_json(), SHARED)
        except OSError:
            self.close()
            raise

    @classmethod
    def begin(cls, folder: Path, genesis: Genesis) -> Journal:
        """Begin a ledger in a folder that has none."""
        line = encode(Entry(sequence=0, time=_now(), previous=NOTHING, record=genesis))
        # By way of a draft: a first line is there as a whole or not at all.
        replace_file(folder / LINES, line, SHARED)
        return cls(folder, _check(line, None))

    def append(self, record: Record) -> Entry:
        """Append a record; it is on the disk and confirmed on return.

        Raises:
            LedgerError: If the disk did not take it. Whether it is kept is then decided when
                the ledger is next opened, and this object takes no more.
        """
        if not self._sound:
            raise LedgerError(
                "The ledger could not be written before and takes no more entries.",
                hint="Close it, see that the disk has room, and open it again.",
            )
        entry = Entry(
            sequence=len(self.entries), time=_now(), previous=self.head.digest, record=record
        )
        line = encode(entry)
        head = LedgerHead(entry.sequence, line_digest(line))
        self._sound = False
        try:
            self._append(line)
            replace_file(self._folder / HEAD, head.to_json(), SHARED)
        except OSError as error:
            raise LedgerError(
                f"The disk did not take the ledger's entry {entry.sequence}: {error.strerror}.",
                hint="Nothing was run. Make room on the site's disk and try again: a step that "
                "was already paid for is not paid for twice.",
            ) from error
        self._sound = True
        self._length += len(line)
        self.entries.append(entry)
        self.head = head
        return entry

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._sound = -1, False

    def _append(self, line: bytes) -> None:
        try:
            write_all(self._descriptor, line)
            os.fsync(self._descriptor)
        except OSError:
            # The head does not know the line yet, so taking it back is safe; if even that
            # fails, opening the ledger again does it.
            os.ftruncate(self._descriptor, self._length)
            raise


def _check(raw: bytes, head: LedgerHead | None) -> JournalContents:
    # Without a head only the first line may be there: the crash was between the two files.
    last = head.sequence if head else 0
    entries: list[Entry] = []
    digests = [NOTHING]
    offset = 0
    while offset < len(raw):
        end = raw.find(b"\n", offset) + 1 or len(raw)
        line = raw[offset:end]
        try:
            entry = _check_line(line, len(entries), digests[-1])
        except ValueError as problem:
            if len(entries) == last + 1 and end == len(raw):
                break
            raise _damaged(len(entries), str(problem)) from None
        entries.append(entry)
        digests.append(line_digest(line))
        offset = end
    if head is None and len(entries) != 1:
        raise LedgerError(f"{HEAD} is missing beside {len(entries)} lines.", hint=_RESTORE)
    if len(entries) <= last:
        raise LedgerError(
            f"Line {len(entries) + 1} and later ones are missing: {HEAD} knows {last + 1} lines.",
            hint=_RESTORE,
        )
    if head and digests[last + 1] != head.digest:
        raise _damaged(last, f"it is not the line that {HEAD} confirms")
    if len(entries) > last + 2:
        raise LedgerError(
            f"{HEAD} confirms line {last + 1}, but there are {len(entries)} lines.", hint=_RESTORE
        )
    return JournalContents(
        entries=tuple(entries),
        digests=tuple(digests[1:]),
        confirmed=head is not None and len(entries) == last + 1,
        sound_bytes=offset,
        torn_bytes=len(raw) - offset,
    )


def _check_line(line: bytes, sequence: int, previous: str) -> Entry:
    if not line.endswith(b"\n"):
        raise ValueError("it has no end")
    entry = decode(line)
    if entry.sequence != sequence:
        raise ValueError(f"its sequence number is {entry.sequence}, not {sequence}")
    if entry.previous != previous:
        raise ValueError("it does not continue the line before it; one of the two was changed")
    return entry


def _damaged(sequence: int, problem: str) -> LedgerError:
    return LedgerError(f"Line {sequence + 1} of {LINES} is damaged: {problem}.", hint=_RESTORE)


def _read_lines(folder: Path) -> bytes | None:
    try:
        return (folder / LINES).read_bytes()
    except FileNotFoundError:
        return None


def _read_head(folder: Path) -> LedgerHead | None:
    try:
        values = json.loads((folder / HEAD).read_bytes())
        head = LedgerHead(values["sequence"], values["digest"])
        if head.sequence < 0 or len(head.digest) != 64 or len(values) != 2:
            raise ValueError("out of range")
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        raise LedgerError(f"{HEAD} is damaged.", hint=_RESTORE) from None
    return head


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
