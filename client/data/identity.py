"""A data set's lasting name, and the secret that makes its patients' keys opaque."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from ...common.files import write_once
from ...errors import DataError

FILE_NAME = "dataset.json"


@dataclass(frozen=True)
class DatasetIdentity:
    """Who a data set is, whatever files it has today.

    The privacy ledger is keyed to the name. It is drawn at random when a data set is first
    opened and lives in the site's state folder, so it survives added scans, re-indexing, a
    moved folder and a deleted cache.

    Attributes:
        name: Hexadecimal name; says nothing about the site.
        salt: Secret of the site. Patient identifiers are often guessable numbers, so their
            plain hashes would be no protection.
    """

    name: str
    salt: bytes

    @classmethod
    def load_or_create(cls, state_dir: Path) -> DatasetIdentity:
        """Read the identity of a state folder, or draw one.

        Raises:
            DataError: If the file is damaged. It is never replaced on its own: a new name
                would start a new privacy budget over the same patients.
        """
        path = state_dir / FILE_NAME
        if not path.exists():
            content = {"name": secrets.token_hex(16), "salt": secrets.token_hex(32)}
            write_once(path, json.dumps(content).encode())
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            identity = cls(name=str(values["name"]), salt=bytes.fromhex(values["salt"]))
        except (ValueError, KeyError, TypeError):
            identity = cls(name="", salt=b"")
        if len(identity.name) != 32 or len(identity.salt) != 32:
            raise DataError(
                f"The data set's identity file {FILE_NAME} is damaged.",
                hint="Restore it from a backup: a new one would forget the privacy already spent.",
            )
        return identity

    def patient_key(self, patient_id: str) -> str:
        """Name a patient by a key that nobody without the salt can link to the identifier."""
        return hashlib.blake2b(patient_id.encode(), key=self.salt, digest_size=16).hexdigest()

    def key_of(self, purpose: str) -> bytes:
        """Derive a secret of 32 bytes for what is kept of this data set alone."""
        return hashlib.blake2b(purpose.encode(), key=self.salt, person=b"fedscan-key").digest()[:32]
