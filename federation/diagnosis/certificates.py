"""Certificates and keys on the disk: whether they hold, and for how long."""

from __future__ import annotations

import stat
from pathlib import Path

from cryptography import x509

from ...errors import FederationError
from ..pki.certificates import days_left, load_certificate, now, require_issued_by
from .finding import DoubtError

_SOON_DAYS = 30.0
_SOON_REVOCATIONS_DAYS = 3.0


def check_certificate(path: Path, authority: Path, *, renew: str) -> str:
    """Check that a certificate is the authority's and has not expired.

    Args:
        path: The certificate.
        authority: The authority's certificate; may be the same.
        renew: What to do when it expires.

    Raises:
        DoubtError: If it expires within a month.
        FederationError: If it is missing, damaged, expired or another authority's.
    """
    certificate = load_certificate(path)
    require_issued_by(certificate, load_certificate(authority))
    days = days_left(certificate)
    until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    if days < 0:
        raise FederationError(f"{path.name} expired on {until}.", hint=renew)
    if days < _SOON_DAYS:
        raise DoubtError(f"{path.name} expires in {days:.0f} days, on {until}.", hint=renew)
    return f"{path.name} is valid until {until}."


def check_revocations(path: Path, *, renew: str) -> str:
    """Check that a list of revoked certificates is not out of date: then nobody is accepted.

    Raises:
        DoubtError: If it ends within days.
        FederationError: If it is missing, damaged or out of date.
    """
    try:
        revocations = x509.load_pem_x509_crl(path.read_bytes())
    except (OSError, ValueError) as error:
        raise FederationError(f"{path} is no list of revoked certificates.", hint=renew) from error
    end = revocations.next_update_utc
    if end is None:
        raise FederationError(f"{path.name} has no end.", hint=renew)
    days = (end - now()).total_seconds() / 86_400
    if days < 0:
        raise FederationError(f"{path.name} is out of date since {end:%Y-%m-%d}.", hint=renew)
    if days < _SOON_REVOCATIONS_DAYS:
        raise DoubtError(f"{path.name} will be out of date on {end:%Y-%m-%d}.", hint=renew)
    return f"{path.name} is valid until {end:%Y-%m-%d}; certificates revoked: {len(revocations)}."


def check_secret(path: Path) -> str:
    """Check that only its owner can read a secret.

    Raises:
        FederationError: If it is missing, or others can get at it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise FederationError(
            f"{path} is missing.", hint="Restore it from a backup, or enrol anew."
        ) from error
    if mode & 0o077:
        raise FederationError(
            f"Others can read {path} (mode {mode:04o}).",
            hint=f"`chmod 600 {path}`; if somebody may have read it, replace the key.",
        )
    return f"{path.name} is readable by its owner only."
