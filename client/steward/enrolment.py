"""How a site is set up: its keys are made here, and the coordinator's welcome is taken in."""

from __future__ import annotations

from pathlib import Path

from ...common.files import write_atomically
from ...errors import ConfigurationError, FederationError
from ...federation.pki.certificates import read_certificate, require_issued_by
from ...federation.pki.enrolment import EnrolmentRequest, Welcome
from ...federation.pki.keys import new_key, public_pem, read_private_key, write_private_key
from ...federation.supervision.service import is_running
from ..policy import SitePolicy, write_policy
from .home import SiteHome, SiteSettings

_PRIVATE = 0o700


def init_site(folder: Path, settings: SiteSettings) -> EnrolmentRequest:
    """Set up a site's home: keys, policy, settings and the request for the coordinator.

    The private keys are made here and stay here. A set-up that was interrupted is gone on with.

    Args:
        folder: The new home folder.
        settings: The site's settings.

    Returns:
        The request, which is also in ``request.json``.

    Raises:
        ConfigurationError: If there is a site already.
    """
    home = SiteHome(folder.resolve())
    if home.settings_file.exists():
        raise ConfigurationError(
            f"There is a site in {folder} already: {home.settings().name}.",
            hint="Its ledgers and keys must not be replaced. Choose another folder.",
        )
    folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
    for path, openssh in ((home.tls_key, False), (home.node_key, True)):
        if not path.exists():
            write_private_key(path, new_key(), openssh=openssh)
    if not home.policy.exists():
        write_policy(home.policy, SitePolicy())
    request = _write_request(home, settings.name)
    home.log.append("site-created", site=settings.name, request=request.fingerprint)
    # Last: a home with settings is whole.
    home.write_settings(settings)
    return request


def renew_keys(home: SiteHome) -> EnrolmentRequest:
    """Make new keys in place of the old ones, which are lost, and a request that holds them.

    Ledgers, data sets and approvals stay: they belong to the patients, not to the keys. Until
    the coordinator's new welcome is taken in, the site cannot connect.

    Returns:
        The request, which is also in ``request.json``.

    Raises:
        FederationError: If the daemon runs: it uses the old keys.
    """
    if is_running(home.run):
        raise FederationError(
            "The site's daemon runs, and uses the keys that would be replaced.",
            hint="Stop it first.",
        )
    # The old certificate fits no new key: without it the site says what is missing.
    home.certificate.unlink(missing_ok=True)
    for path, openssh in ((home.tls_key, False), (home.node_key, True)):
        path.unlink(missing_ok=True)
        write_private_key(path, new_key(), openssh=openssh)
    request = _write_request(home, home.settings().name)
    home.log.append("keys-renewed", request=request.fingerprint)
    return request


def _write_request(home: SiteHome, name: str) -> EnrolmentRequest:
    tls_key, node_key = read_private_key(home.tls_key), read_private_key(home.node_key)
    request = EnrolmentRequest.make(name, tls_key, node_key)
    write_atomically(home.request, request.to_json())
    return request


def join(home: SiteHome, welcome: Welcome) -> None:
    """Take in the coordinator's welcome.

    Raises:
        FederationError: If it is for another site or other keys, or its certificate is not its
            authority's.
    """
    name = home.settings().name
    if welcome.site != name:
        raise FederationError(
            f"The welcome is for site {welcome.site!r}, this one is {name!r}.",
            hint="Ask the coordinator for this site's own file.",
        )
    certificate = read_certificate(welcome.certificate.encode(), "The site's certificate")
    require_issued_by(
        certificate, read_certificate(welcome.authority.encode(), "The authority's certificate")
    )
    key = read_private_key(home.tls_key).public_key()
    if certificate.public_key() != key:
        raise FederationError(
            "The welcome's certificate is not for this site's key.",
            hint="Send the coordinator the request.json that lies in the home folder now.",
        )
    home.log.append(
        "welcome-taken", coordinator=welcome.coordinator, key=public_pem(key).decode("ascii")
    )
    write_atomically(home.authority, welcome.authority.encode())
    write_atomically(home.certificate, welcome.certificate.encode())
    write_atomically(home.record_key, welcome.record_key.encode())
    home.change_settings(coordinator=welcome.coordinator)
