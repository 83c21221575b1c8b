"""The sites of a federation: enrolled, listed, revoked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ...common.audit.log import AuditLog
from ...common.files import write_atomically
from ...config.study import load_study
from ...errors import ConfigurationError, FederationError
from ...federation.about import AboutSettings
from ...federation.pki.authority import Issued
from ...federation.pki.enrolment import EnrolmentRequest, Welcome
from ...federation.pki.keys import public_pem, read_public_text
from .home import Home
from .record import read_record_public_key


@dataclass(frozen=True, kw_only=True)
class Member:
    """A site with a certificate that is neither revoked nor expired.

    Attributes:
        site: The site's name.
        serial: Its certificate's serial number in hex.
        expires: When that expires (ISO 8601, UTC).
        node_key: Its Flower node's public key as PEM.
    """

    site: str
    serial: str
    expires: str
    node_key: bytes


def read_request(site: str, content: bytes) -> EnrolmentRequest:
    """Read a site's request, so that its fingerprint can be compared before anything is issued.

    Args:
        site: The name that the coordinator expects.
        content: The site's request.

    Raises:
        FederationError: If it is not the site's own and whole.
    """
    request = EnrolmentRequest.from_json(content)
    if request.site != site:
        raise FederationError(
            f"The request is of site {request.site!r}, not of {site!r}.",
            hint="Check with the site whose file this is.",
        )
    return request


def enrol(home: Home, site: str, content: bytes) -> tuple[Path, EnrolmentRequest]:
    """Make a site a member; a member that enrols again gets new keys in place of its old ones.

    Args:
        home: The coordinator's folder.
        site: The name that the coordinator expects.
        content: The site's request.

    Returns:
        The welcome, which goes back to the site, and the request.

    Raises:
        FederationError: If the request is not the site's own and whole, or holds keys that were
            revoked.
    """
    request = read_request(site, content)
    authority = home.authority
    certificate = authority.issue_site(site, request.public_key(), request.node_key)
    folder = home.sites / site
    write_atomically(folder / "client.crt", certificate)
    write_atomically(folder / "node.pub", request.node_key.encode() + b"\n")
    write_atomically(folder / "request.json", content)
    welcome = Welcome(
        site=site,
        coordinator=home.addresses.public,
        authority=authority.certificate_file.read_text(encoding="utf-8"),
        certificate=certificate.decode(),
        record_key=read_record_public_key(home.record_key),
        about=_planned(home),
    )
    path = folder / f"welcome-{site}.json"
    write_atomically(path, welcome.to_json())
    AuditLog(home.audit).append("site-enrolled", site=site, fingerprint=request.fingerprint)
    return path, request


def _planned(home: Home) -> str:
    """Return what the folder's study file says that it is for; empty if it cannot be read."""
    try:
        about = load_study(home.study).about
    except ConfigurationError:
        return ""
    return "" if about == AboutSettings() else json.dumps(asdict(about))


def revoke(home: Home, site: str) -> None:
    """Take a site's membership; a running coordinator refuses it within seconds.

    Raises:
        FederationError: If it is not a member.
    """
    count = home.authority.revoke(site)
    AuditLog(home.audit).append("site-revoked", site=site, certificates=count)


def members(home: Home) -> list[Member]:
    """Return the sites that may connect, by name."""
    return sorted(
        (_member(entry) for entry in home.authority.issued() if entry.valid),
        key=lambda member: member.site,
    )


def known_node_keys(home: Home) -> set[bytes]:
    """Return the node keys that were never revoked, as PEM: of members and of expired ones."""
    return {
        public_pem(read_public_text(entry.node_key))
        for entry in home.authority.issued()
        if not entry.revoked
    }


def _member(entry: Issued) -> Member:
    return Member(
        site=entry.site,
        serial=entry.serial,
        expires=entry.expires,
        node_key=public_pem(read_public_text(entry.node_key)),
    )
