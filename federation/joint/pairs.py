"""The secret that each pair of sites masks with: of X25519, and of ML-KEM besides.

With X25519 (RFC 7748) two sites agree without a message. With ML-KEM-768 (FIPS 203) one of them,
the one whose name comes first, sends the other a ciphertext by way of the coordinator, under a code
that only the two can make (HMAC): the coordinator can neither put its own in its place nor read it.
Both secrets go into one key (HKDF, RFC 5869), which is safe as long as one of them is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ...common.files import write_once
from ...errors import RosterError
from .keys import StudyKey
from .masks import KEY_BYTES
from .roster import Roster

CIPHERTEXT_BYTES = 1088
_CODE_BYTES = 32
#: Bytes of what travels for one pair.
ENCAPSULATION_BYTES = CIPHERTEXT_BYTES + _CODE_BYTES


class PairSecrets:
    """A site's side of all pairs that it is in.

    Args:
        key: The site's own keys.
        roster: The roster that was approved; the site is in it with these keys.
        folder: Where the secrets are kept that this site encapsulates; only its owner can read
            them. They are made once for a roster.

    Raises:
        RosterError: If the roster has other keys for this site, or none.
    """

    def __init__(self, key: StudyKey, roster: Roster, folder: Path) -> None:
        if roster.keys.get(key.public.site) != key.public:
            raise RosterError(
                f"The roster does not have the keys that {key.public.site!r} made for the study.",
                hint="Somebody put others in their place. Do not approve it; call the coordinator.",
            )
        self._key, self._roster = key, roster
        self._site = key.public.site
        self._path = secrets_file(folder, roster.digest)

    def encapsulations(self) -> dict[str, bytes]:
        """Return what goes to the members whose names come after this site's, by name.

        It is empty if not all members have ML-KEM. The same bytes every time.
        """
        return {
            other: ciphertext + self._code(self._site, other, ciphertext)
            for other, (ciphertext, _) in self._own().items()
        }

    def secrets(
        self, members: tuple[str, ...], ciphertexts: Mapping[str, bytes]
    ) -> dict[str, bytes]:
        """Return the secret of each pair with other members, by name; 32 bytes each.

        Args:
            members: Whose secrets are needed, this site's own name among them or not.
            ciphertexts: What members whose names come before this site's sent to it.

        Raises:
            RosterError: If a member is not in the roster, or what it sent is missing or is not
                its own.
        """
        own = self._own()
        secrets = {}
        for other in members:
            if other == self._site:
                continue
            if other not in self._roster.keys:
                raise RosterError(f"{other!r} is not in the roster.")
            first, second = sorted((self._site, other))
            ciphertext, mlkem_secret = b"", b""
            if self._roster.has_mlkem:
                ciphertext, mlkem_secret = (
                    own[other] if first == self._site else self._received(other, ciphertexts)
                )
            x25519_secret = self._key.agree(self._roster.keys[other])
            salt = hashlib.sha256(bytes.fromhex(self._roster.digest) + ciphertext).digest()
            secrets[other] = _derive(x25519_secret + mlkem_secret, salt, "pair", first, second)
        return secrets

    def _received(self, other: str, ciphertexts: Mapping[str, bytes]) -> tuple[bytes, bytes]:
        content = ciphertexts.get(other, b"")
        ciphertext, code = content[:CIPHERTEXT_BYTES], content[CIPHERTEXT_BYTES:]
        if len(content) != ENCAPSULATION_BYTES or not hmac.compare_digest(
            code, self._code(other, self._site, ciphertext)
        ):
            raise RosterError(
                f"What {other!r} encapsulated to {self._site!r} is missing or was changed."
            )
        return ciphertext, self._key.decapsulate(ciphertext)

    def _code(self, sender: str, receiver: str, ciphertext: bytes) -> bytes:
        other = self._roster.keys[receiver if sender == self._site else sender]
        salt = bytes.fromhex(self._roster.digest)
        key = _derive(self._key.agree(other), salt, "encapsulation", sender, receiver)
        return hmac.digest(key, ciphertext, "sha256")

    def _own(self) -> dict[str, tuple[bytes, bytes]]:
        """Return ciphertexts and secrets to the members that come later; made once and kept."""
        later = [name for name in self._roster.names if name > self._site]
        if not self._roster.has_mlkem or not later:
            return {}
        if not self._path.exists():
            pairs = {}
            for name in later:
                secret, ciphertext = self._roster.keys[name].encapsulation_key().encapsulate()
                pairs[name] = [ciphertext.hex(), secret.hex()]
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_once(self._path, json.dumps(pairs).encode())
        try:
            content = json.loads(self._path.read_bytes())
            return {
                name: (bytes.fromhex(content[name][0]), bytes.fromhex(content[name][1]))
                for name in later
            }
        except (OSError, ValueError, KeyError, TypeError):
            raise RosterError(
                f"The site's secrets for the pairs of a study, {self._path.name}, are damaged.",
                hint="Restore the file from a backup: with others the masks would not cancel.",
            ) from None


def secrets_file(folder: Path, roster: str) -> Path:
    """Return the file that keeps what a site encapsulates to others.

    Args:
        folder: As for :class:`PairSecrets`.
        roster: Digest of the roster.
    """
    return folder / f"{roster}.json"


def _derive(secret: bytes, salt: bytes, purpose: str, first: str, second: str) -> bytes:
    info = f"fedscan {purpose} 1\n{first}\n{second}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(secret)
