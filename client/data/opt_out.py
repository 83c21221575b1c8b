"""Patients who want no part in any study: a list at the site that every opening of data obeys.

The list has keyed digests in place of identifiers, so that reading it tells nobody who is on it.
Identifiers are compared as headers are (:func:`~...imaging.dicom.files.patient.normal_identifier`).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from ...common.files import write_atomically
from ...errors import DataError
from ...imaging.dicom.files.patient import normal_identifier

_HINT = "Restore it from a backup: without it, patients who opted out would be trained on again."


@dataclass(frozen=True)
class OptOut:
    """One patient on the list.

    Attributes:
        digest: Keyed digest of the identifier.
        time: When the patient was put on it, UTC.
        keys: The patient's opaque key in each data set that there was then, by its identity: what
            files of a cache are called.
    """

    digest: str
    time: str
    keys: Mapping[str, str]


@dataclass(frozen=True)
class OptOutList:
    """A site's list.

    Attributes:
        secret: Key of the digests.
        patients: Everybody on the list, the first one first.
    """

    secret: bytes = field(default=b"", repr=False)
    patients: tuple[OptOut, ...] = ()

    @classmethod
    def read(cls, path: Path | None) -> OptOutList:
        """Read a list; an empty one if there is no file.

        Raises:
            DataError: If the file is damaged.
        """
        if path is None or not path.exists():
            return cls()
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            opt_outs = cls(
                secret=bytes.fromhex(content["secret"]),
                patients=tuple(OptOut(**one) for one in content["patients"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"The opt-out list {path} cannot be read.", hint=_HINT) from error
        if len(opt_outs.secret) != 32:
            raise DataError(f"The opt-out list {path} is damaged.", hint=_HINT)
        return opt_outs

    def write(self, path: Path) -> None:
        """Write the list, readable by its owner alone, whole or not at all."""
        content = {"secret": self.secret.hex(), "patients": [asdict(one) for one in self.patients]}
        write_atomically(path, json.dumps(content, indent=1).encode())
        path.chmod(0o600)

    def with_patients(self, keys_of: Mapping[str, Mapping[str, str]], time: str) -> OptOutList:
        """Return the list with more patients; those who are on it stay as they are.

        Args:
            keys_of: The patients' keys by data set, by identifier.
            time: Now, UTC.
        """
        current = OptOutList(self.secret or secrets.token_bytes(32), self.patients)
        digests = {one.digest for one in current.patients}
        new = []
        for identifier, keys in keys_of.items():
            if (digest := current.digest_of(identifier)) not in digests:
                digests.add(digest)
                new.append(OptOut(digest, time, dict(keys)))
        return OptOutList(current.secret, (*current.patients, *new))

    def has(self, identifier: str) -> bool:
        """Whether a patient is on the list."""
        return bool(self.patients) and self.digest_of(identifier) in self._digests

    def digest_of(self, identifier: str) -> str:
        """Return what stands for an identifier in the list."""
        text = normal_identifier(identifier).encode()
        return hashlib.blake2b(text, key=self.secret, digest_size=16).hexdigest()

    def keys_in(self, identity: str) -> frozenset[str]:
        """Return the listed patients' keys in a data set, by its identity."""
        return frozenset(one.keys[identity] for one in self.patients if identity in one.keys)

    @property
    def state(self) -> str:
        """Changes whenever somebody is added; empty for an empty list."""
        if not self.patients:
            return ""
        return hashlib.sha256("".join(sorted(self._digests)).encode()).hexdigest()

    @property
    def headers_folder(self) -> str:
        """Folder of a cache for headers that were read under this very list."""
        return f"headers-{self.state[:16]}" if self.patients else "headers"

    @cached_property
    def _digests(self) -> frozenset[str]:
        return frozenset(one.digest for one in self.patients)
