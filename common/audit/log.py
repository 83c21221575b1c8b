"""Writing an audit log, from several processes, and reading it back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from ...errors import AuditError
from ..files import sync_folder, write_atomically
from ..locks import locked_file
from .chain import AuditEntry, AuditHead, damaged, follow, read_line

_MODE = 0o640
_BLOCK = 65_536


class AuditLog:
    """An append-only log; several processes may write to the same one.

    Args:
        path: The file of JSON lines; its head is kept beside it, in ``path`` + ``.head``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, event: str, **facts: Any) -> AuditEntry:
        """Write one line; it is on the disk on return.

        Args:
            event: What happened, a stable short name such as ``round-answered``.
            facts: JSON values. Names, numbers and hashes; never a text from an exception, a
                path of a scan or a header's value.

        Raises:
            AuditError: If the disk does not take it, or the log's end was changed.
            ValueError: If a fact has no JSON form.
        """
        try:
            with self._locked() as descriptor:
                head = self._end(descriptor)
                entry = AuditEntry(
                    sequence=head.length + 1,
                    time=datetime.now(UTC).isoformat(timespec="milliseconds"),
                    event=event,
                    facts=facts,
                    previous=head.hash,
                )
                size = os.fstat(descriptor).st_size
                _write_line(descriptor, entry.to_line())
                try:
                    write_atomically(_head_file(self._path), f"{entry.head}\n".encode())
                except OSError:
                    # Two lines without a word about them would look like a changed log.
                    os.ftruncate(descriptor, size)
                    raise
                return entry
        except OSError as error:
            raise AuditError(
                f"The disk did not take an audit entry: {error.strerror}.",
                hint="What is not on record does not leave. Make room on the disk.",
            ) from error

    def entries(self) -> list[AuditEntry]:
        """Return all lines, checked.

        Raises:
            AuditError: Names the first line that was changed, removed or moved.
        """
        return _read(self._path)

    def newest_first(self, having: bytes) -> Iterator[AuditEntry]:
        """Yield the lines that hold some text, the last one first; the rest is not looked at.

        Each line is checked by itself, and not whether it follows the one before it.

        Args:
            having: What a line must hold, as it stands in the file.

        Raises:
            AuditError: If such a line was changed, or the log cannot be read.
        """
        if not self._path.exists() or not self._path.stat().st_size:
            return
        try:
            file = self._path.open("rb")
        except OSError as error:
            raise _unreadable(self._path, error) from error
        # Locked: what is mapped must not become shorter, as when an unfinished line is dropped.
        with (
            file,
            locked_file(file.fileno(), shared=True),
            mmap(file.fileno(), 0, access=ACCESS_READ) as lines,
        ):
            end = lines.rfind(b"\n")
            while end > 0:
                start = lines.rfind(b"\n", 0, end) + 1
                if lines.find(having, start, end) >= 0:
                    yield _read_line_at(lines, start, end)
                end = start - 1

    @contextmanager
    def _locked(self) -> Iterator[int]:
        new = not self._path.exists()
        if new:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, flags, _MODE)
        try:
            if new:
                sync_folder(self._path.parent)
            with locked_file(descriptor):
                yield descriptor
        finally:
            os.close(descriptor)

    def _end(self, descriptor: int) -> AuditHead:
        """Return the log's end, after dropping what a crash left of an unfinished line."""
        size = os.fstat(descriptor).st_size
        last, whole = _last_line(descriptor, size)
        known_head = _noted(self._path)
        head = AuditHead()
        if whole:
            entry = read_line(last, known_head.length)
            # A crash may have come between a line and the word about it.
            if entry.head != known_head and (entry.sequence, entry.previous) != (
                known_head.length + 1,
                known_head.hash,
            ):
                raise damaged(known_head.length, "is not the last one that was written")
            head = entry.head
        elif known_head.length:
            raise damaged(1, "is missing")
        if whole < size:
            os.ftruncate(descriptor, whole)
        return head


def verify(path: Path, head: AuditHead | None = None) -> AuditHead:
    """Check every line of a log.

    Args:
        path: The file.
        head: A head that was noted elsewhere; its line must still be in the log.

    Returns:
        The log's end, for noting elsewhere.

    Raises:
        AuditError: If there is none, or any line was changed, removed, added or moved; names
            the first.
    """
    entries = _read(path)
    if head is not None and head.length:
        if head.length > len(entries):
            raise damaged(len(entries) + 1, "is missing: the log was longer when it was noted")
        if entries[head.length - 1].hash != head.hash:
            raise damaged(head.length, "is not the one that was noted")
    return entries[-1].head if entries else AuditHead()


def _read(path: Path) -> list[AuditEntry]:
    try:
        # Shared: nobody is between a line and the word about it.
        with path.open("rb") as file, locked_file(file.fileno(), shared=True):
            *lines, _ = file.read().split(b"\n")
            head = _noted(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    entries = list(follow(lines))
    if len(entries) < head.length:
        raise damaged(len(entries) + 1, "is missing")
    if head.length and entries[head.length - 1].hash != head.hash:
        raise damaged(head.length, "is not the one that was written")
    if len(entries) > head.length + 1:
        raise damaged(head.length + 2, f"is unknown to {_head_file(path).name}")
    return entries


def _read_line_at(lines: mmap, start: int, end: int) -> AuditEntry:
    try:
        return read_line(lines[start:end], 0)
    except AuditError:  # only now its place is counted, which takes long in a long log
        return read_line(lines[start:end], lines[:start].count(b"\n") + 1)


def _unreadable(path: Path, error: OSError) -> AuditError:
    return AuditError(
        f"The audit log {path} cannot be read: {error.strerror}.",
        hint="Give the home folder of a site or a coordinator that has been set up.",
    )


def _noted(path: Path) -> AuditHead:
    file = _head_file(path)
    return (
        AuditHead.parse(file.read_text("utf-8", errors="replace")) if file.exists() else AuditHead()
    )


def _head_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.head")


def _last_line(descriptor: int, size: int) -> tuple[bytes, int]:
    """Return the last whole line without its line feed, and where it ends with it."""
    tail, start = b"", size
    # Until the line feed before the last whole line is in view, or the file's beginning.
    while start and tail.count(b"\n") < 2:
        step = min(_BLOCK, start)
        start -= step
        tail = os.pread(descriptor, step, start) + tail
    end = tail.rfind(b"\n")
    return tail[tail.rfind(b"\n", 0, max(end, 0)) + 1 : max(end, 0)], start + end + 1


def _write_line(descriptor: int, line: bytes) -> None:
    """Append a line, or leave the file as it was."""
    size = os.fstat(descriptor).st_size
    try:
        remaining = memoryview(line)
        position = size
        while remaining:
            count = os.pwrite(descriptor, remaining, position)
            remaining, position = remaining[count:], position + count
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise
