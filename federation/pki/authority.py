"""The federation's certificate authority: a folder with its key and a record of what it issued."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding

from ...common.files import write_atomically
from ...errors import FederationError
from .certificates import load_certificate, make_authority, make_client, make_server, now, to_pem
from .keys import PublicKey, new_key, read_private_key, write_private_key

#: Lifetimes in days. A site's certificate is renewed yearly by enrolling again.
_AUTHORITY_DAYS = 3650
_SERVER_DAYS = 397
_SITE_DAYS = 397

_CERTIFICATE = "ca.crt"
_KEY = "ca.key"
_INDEX = "index.json"
_REVOKED = "revoked.crl"


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A site's certificate in the authority's record.

    Attributes:
        site: The site's name.
        serial: Serial number in hex, as nginx writes it.
        expires: When it expires (ISO 8601, UTC).
        node_key: Public key of the site's Flower node, in OpenSSH's format.
        revoked: When it was revoked (ISO 8601, UTC); empty if it was not.
    """

    site: str
    serial: str
    expires: str
    node_key: str
    revoked: str = ""

    @property
    def valid(self) -> bool:
        """Whether it is neither revoked nor expired."""
        return not self.revoked and datetime.datetime.fromisoformat(self.expires) > now()


class Authority:
    """A certificate authority in a folder.

    Args:
        folder: The folder; :meth:`create` makes it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def certificate_file(self) -> Path:
        """The authority's certificate, which everybody may have."""
        return self._folder / _CERTIFICATE

    @property
    def revocation_file(self) -> Path:
        """The list of revoked certificates (CRL)."""
        return self._folder / _REVOKED

    @property
    def certificate(self) -> x509.Certificate:
        """The authority's certificate."""
        return load_certificate(self.certificate_file)

    @classmethod
    def create(cls, folder: Path, name: str) -> Authority:
        """Make an authority's key and certificate.

        Raises:
            FederationError: If there is one already.
        """
        key = new_key()
        write_private_key(folder / _KEY, key)
        certificate = make_authority(name, key, days=_AUTHORITY_DAYS)
        write_atomically(folder / _CERTIFICATE, to_pem(certificate))
        authority = cls(folder)
        authority._record([])
        return authority

    def issued(self) -> list[Issued]:
        """Return everything that was issued to sites, oldest first.

        Raises:
            FederationError: If the record is missing or damaged.
        """
        try:
            entries = json.loads((self._folder / _INDEX).read_text(encoding="utf-8"))
            return [Issued(**entry) for entry in entries]
        except (OSError, ValueError, TypeError) as error:
            raise FederationError(
                f"The authority's record {self._folder / _INDEX} cannot be read.",
                hint="Restore it from a backup: without it nothing can be revoked.",
            ) from error

    def issue_server(self, hosts: Sequence[str], public_key: PublicKey) -> bytes:
        """Return a server's certificate as PEM."""
        key = read_private_key(self._folder / _KEY)
        return to_pem(make_server(hosts, public_key, self.certificate, key, days=_SERVER_DAYS))

    def issue_site(self, site: str, public_key: PublicKey, node_key: str) -> bytes:
        """Return a site's certificate as PEM; earlier ones of the site are revoked.

        Args:
            site: The site's name.
            public_key: Its TLS key.
            node_key: Its Flower node's public key, in OpenSSH's format.

        Raises:
            FederationError: If another site has the node's key, or the key was revoked.
        """
        entries = self.issued()
        valid = {entry.node_key for entry in entries if not entry.revoked}
        # Flower never takes a key back that it has been told to refuse, and nobody should: what
        # it was revoked for may still hold.
        if node_key in {entry.node_key for entry in entries} - valid:
            raise FederationError(
                f"The request of site {site} holds keys that were revoked.",
                hint="Ask the site to run `fedscan site new-keys` and to send the request.json "
                "that it writes.",
            )
        for entry in entries:
            if entry.node_key == node_key and entry.site != site and not entry.revoked:
                raise FederationError(f"Site {entry.site} has the same node key.")
        key = read_private_key(self._folder / _KEY)
        certificate = make_client(site, public_key, self.certificate, key, days=_SITE_DAYS)
        new = Issued(
            site=site,
            serial=serial_text(certificate.serial_number),
            expires=certificate.not_valid_after_utc.isoformat(),
            node_key=node_key,
        )
        # On record before anybody has it: what is not on record cannot be revoked.
        self._record([*_revoked(entries, site), new])
        return to_pem(certificate)

    def revoke(self, site: str) -> int:
        """Revoke a site's certificates; return how many there were.

        Raises:
            FederationError: If the site has none that is not revoked.
        """
        entries = self.issued()
        count = sum(entry.site == site and not entry.revoked for entry in entries)
        if not count:
            raise FederationError(f"There is no site {site!r} to revoke.")
        self._record(_revoked(entries, site))
        return count

    def refresh_revocations(self) -> None:
        """Write the list of revoked certificates anew; it expires after a month."""
        self._write_list(self.issued())

    def _record(self, entries: Sequence[Issued]) -> None:
        content = json.dumps([asdict(entry) for entry in entries], indent=2)
        write_atomically(self._folder / _INDEX, content.encode())
        self._write_list(entries)

    def _write_list(self, entries: Sequence[Issued]) -> None:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now() - datetime.timedelta(minutes=15))
            .next_update(now() + datetime.timedelta(days=30))
        )
        for entry in entries:
            if entry.revoked:
                builder = builder.add_revoked_certificate(
                    x509.RevokedCertificateBuilder()
                    .serial_number(int(entry.serial, 16))
                    .revocation_date(datetime.datetime.fromisoformat(entry.revoked))
                    .build()
                )
        revocations = builder.sign(read_private_key(self._folder / _KEY), SHA384())
        write_atomically(self.revocation_file, revocations.public_bytes(Encoding.PEM))


def serial_text(serial: int) -> str:
    """Return a serial number as nginx writes it: in whole bytes, so with a leading 0 if need be."""
    digits = format(serial, "X")
    return digits.zfill(len(digits) + len(digits) % 2)


def _revoked(entries: Sequence[Issued], site: str) -> list[Issued]:
    moment = now().isoformat()
    return [
        replace(entry, revoked=moment) if entry.site == site and not entry.revoked else entry
        for entry in entries
    ]
