"""The secrets that steps' noise and sampling come from, one file each, at the site only.

Whoever holds a step's secret *and* its result can subtract the noise. So a secret lies in a
folder of its own that only its owner can read, apart from the ledger, which may be shown to
anyone; the ledger has only a commitment to it (SHA-256 of 256 random bits: it tells whether a
secret is the right one, and nothing else).
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path

from ...common.files import sync_folder
from ...errors import LedgerError
from .durable import PRIVATE, create_file, erase_file, make_folder

FOLDER = "secrets"
SECRET_BYTES = 32
_NAME = re.compile(r"([0-9]{8,})\.secret")


def fresh_secret() -> bytes:
    """Return 256 bits from the operating system's cryptographic source."""
    return secrets.token_bytes(SECRET_BYTES)


def commitment(secret: bytes) -> str:
    """Return what the ledger says about a secret."""
    return hashlib.sha256(b"fedscan step secret 1\n" + secret).hexdigest()


class SecretStore:
    """The folder of secrets, by the sequence number of their reservations.

    Args:
        folder: The ledger's folder.

    Raises:
        LedgerError: If others than the owner can get at the secrets.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        make_folder(self._folder, 0o700)
        _require_private(self._folder)

    def write(self, sequence: int, secret: bytes) -> None:
        """Store a secret; it is on the disk on return."""
        create_file(self._path(sequence), secret, PRIVATE)

    def read(self, sequence: int, digest: str) -> bytes:
        """Return a secret, checked against its commitment.

        Raises:
            LedgerError: If it is missing or another one: its step cannot be repeated then.
        """
        path = self._path(sequence)
        try:
            _require_private(path)
            secret = path.read_bytes()
        except FileNotFoundError:
            secret = b""
        if commitment(secret) != digest:
            problem = "is not the one that was reserved" if secret else "is missing"
            raise LedgerError(
                f"The secret of entry {sequence} {problem}.",
                hint="Without it the step cannot be repeated with the same noise, and other "
                "noise would be a new release. Its budget stays spent; ask for a new round.",
            )
        return secret

    def erase(self, sequence: int) -> None:
        """Overwrite and remove a secret, if it is there."""
        path = self._path(sequence)
        if path.exists():
            erase_file(path)

    def discard(self, sequence: int) -> None:
        """Remove a secret that no line ever referred to."""
        os.unlink(self._path(sequence))
        sync_folder(self._folder)

    def sequences(self) -> list[int]:
        """Return the sequence numbers that have a file.

        Raises:
            LedgerError: If a file is there that no ledger wrote.
        """
        numbers = []
        for path in self._folder.iterdir():
            match = _NAME.fullmatch(path.name)
            if match is None:
                raise LedgerError(
                    f"Among the secrets is a file that does not belong there: {path.name!r}.",
                    hint="Move it out of the folder.",
                )
            numbers.append(int(match[1]))
        return sorted(numbers)

    def _path(self, sequence: int) -> Path:
        return self._folder / f"{sequence:08d}.secret"


def _require_private(path: Path) -> None:
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise LedgerError(
            f"Others can get at the ledger's secrets: {path.name!r} has mode {mode:04o}.",
            hint="Give the folder mode 0700 and its files 0600, and ask who may have read them.",
        )
