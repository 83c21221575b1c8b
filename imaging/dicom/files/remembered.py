"""What was read of a folder's headers, so that the next look reads only what has changed.

Headers hold identifiers, so they are stored encrypted (AES-GCM) and only for their site's eyes.
The file is a cache: it can be deleted at any time, and what cannot be read counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import TypeAdapter, ValidationError

from .... import __version__
from ....common.files import write_atomically, write_once
from ....model.words.tables import vocabulary_to_toml
from ....model.words.vocabulary import Vocabulary
from ...settings import DataSettings
from ..folder import FileEntry
from ..header import FileHeader
from ..set_aside import Reason

#: Raised whenever the same bytes would be read differently.
_FORMAT = 3
_KEY = "headers.key"
_NONCE_BYTES, _KEY_BYTES = 12, 32


@dataclass(frozen=True, slots=True)
class _Line:
    """One file: as the disk knew it, and its header or why it was set aside."""

    entry: FileEntry
    header: FileHeader | None
    reason: Reason | None


class RememberedHeaders:
    """The headers of one folder, by path.

    Args:
        folder: Where they are stored; made when they are.
        settings: What files are accepted by: under others nothing is remembered.
        words: What headers may select: with others nothing is remembered.
        key: Secret of 32 bytes; one is drawn and kept in the folder if none is given.
    """

    def __init__(
        self, folder: Path, settings: DataSettings, words: Vocabulary, key: bytes | None = None
    ) -> None:
        about = _about(settings, words)
        self._path = folder / f"headers-{about.hex()[:8]}"
        if key is None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            key = _own_key(folder / _KEY)
        self._key = AESGCM(key)
        self._about = about
        self._lines = {line.entry.path: line for line in self._load()}
        self._is_changed = False

    def find(self, entry: FileEntry) -> FileHeader | Reason | None:
        """Return what a file said, or ``None`` if it is new or has changed since."""
        line = self._lines.get(entry.path)
        return (line.header or line.reason) if line is not None and line.entry == entry else None

    def remember(self, entry: FileEntry, outcome: FileHeader | Reason) -> None:
        """Note what a file said."""
        if isinstance(outcome, Reason):
            self._lines[entry.path] = _Line(entry, None, outcome)
        else:
            self._lines[entry.path] = _Line(entry, outcome, None)
        self._is_changed = True

    def save(self, current: Iterable[FileEntry]) -> None:
        """Store what is known of the files that are there now, if anything has changed."""
        paths = {entry.path for entry in current}
        lines = [line for path, line in sorted(self._lines.items()) if path in paths]
        if not self._is_changed and len(lines) == len(self._lines):
            return
        content = zlib.compress(_adapter().dump_json(lines), level=1)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(self._path, nonce + self._key.encrypt(nonce, content, self._about))

    def _load(self) -> list[_Line]:
        try:
            sealed_bytes = self._path.read_bytes()
            nonce, content = sealed_bytes[:_NONCE_BYTES], sealed_bytes[_NONCE_BYTES:]
            plain = zlib.decompress(self._key.decrypt(nonce, content, self._about))
            return _adapter().validate_json(plain)
        except (OSError, InvalidTag, ValidationError, ValueError, zlib.error):
            return []


@cache
def _adapter() -> TypeAdapter[list[_Line]]:
    return TypeAdapter(list[_Line])


def _about(settings: DataSettings, words: Vocabulary) -> bytes:
    """Digest of what decides which files are accepted, and how they are read."""
    acceptance = [settings.burned_in, settings.colour, settings.synthetic]
    fields = [_FORMAT, __version__, *acceptance, vocabulary_to_toml(words)]
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).digest()


def _own_key(path: Path) -> bytes:
    write_once(path, secrets.token_bytes(_KEY_BYTES))
    return path.read_bytes()
