"""The way to the coordinator: TLS with the site's certificate, and what is wrong with it if any.

A problem that waiting does not solve (another authority, an expired certificate, a refused key)
is a :class:`FederationError`; a coordinator that is out of reach is :class:`UnreachableError`.
"""

from __future__ import annotations

import base64
import contextlib
import ssl
from dataclasses import dataclass

from ...errors import ConfigurationError, FederationError
from ...federation.diagnosis.connection import UnreachableError, named
from ...federation.diagnosis.finding import DoubtError, NotApplicableError
from ...federation.diagnosis.network import ask, compare_clocks
from ...federation.pki.certificates import days_left, load_certificate, require_issued_by
from ...federation.pki.keys import public_pem, read_private_key
from ..steward.home import SiteHome

_PROBE = "/v1/fleet/pull-messages"


@dataclass(frozen=True)
class Address:
    """Host and port of the coordinator."""

    host: str
    port: int

    def __str__(self) -> str:
        return named(self.host, self.port)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``host:port``.

        Raises:
            ConfigurationError: If it has another form.
        """
        host, _, port = text.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
            raise ConfigurationError(
                f"The coordinator's address is {text!r}, not host:port.",
                hint="`fedscan site join WELCOME` sets it.",
            )
        return cls(host.strip("[]"), int(port))


def client_context(home: SiteHome) -> ssl.SSLContext:
    """Return the TLS settings: only the federation's authority is trusted, and TLS 1.3 spoken.

    Raises:
        FederationError: If a certificate or key is missing, expired or of another authority.
    """
    if not home.certificate.exists():
        raise FederationError(
            "The site has no certificate yet.",
            hint="Send request.json to the coordinator, then `fedscan site join WELCOME`.",
        )
    require_current(home)
    context = ssl.create_default_context(cafile=str(home.authority))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    show_certificate(context, home)
    return context


def show_certificate(context: ssl.SSLContext, home: SiteHome) -> None:
    """Let new connections show the site's certificate as it is now.

    Raises:
        FederationError: If certificate and key do not belong together.
    """
    try:
        context.load_cert_chain(home.certificate, home.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise FederationError(
            "The site's certificate and its key do not belong together.",
            hint="Send request.json to the coordinator again and join with the new welcome file.",
        ) from error


def require_current(home: SiteHome) -> None:
    """Check that the site's certificate is its authority's, and that neither has expired.

    Raises:
        FederationError: If not.
    """
    certificate, authority = load_certificate(home.certificate), load_certificate(home.authority)
    require_issued_by(certificate, authority)
    for what, one in (("The site's", certificate), ("The authority's", authority)):
        if days_left(one) < 0:
            raise FederationError(
                f"{what} certificate expired on {one.not_valid_after_utc:%Y-%m-%d}.",
                hint="Ask the coordinator for a new welcome file.",
            )


def check_connection(home: SiteHome) -> None:
    """Connect to the coordinator as the site and ask for nothing.

    Raises:
        ConfigurationError: If the address has a wrong form.
        FederationError: If one side does not accept the other.
        UnreachableError: If the coordinator is out of reach.
    """
    address, context = Address.parse(home.settings().coordinator), client_context(home)
    key = public_pem(read_private_key(home.node_key).public_key())
    headers = {
        "Content-Type": "application/x-protobuf",
        "flwr-public-key": base64.b64encode(key).decode("ascii"),
    }
    answer = ask(address.host, address.port, context, _PROBE, method="POST", headers=headers)
    _check_reply(answer.status, answer.content, address)
    # A clock that is a little off does no harm, and the doctor tells of it.
    with contextlib.suppress(DoubtError, NotApplicableError):
        compare_clocks(answer)


def _check_reply(status: int, text: bytes, address: Address) -> None:
    if status == 400 and b"certificate" in text.lower():
        raise FederationError(
            "The coordinator does not accept this site's certificate.",
            hint="It may be revoked or replaced: ask the coordinator for a new welcome file.",
        )
    if status == 403:
        raise FederationError(
            "The coordinator does not accept this site's node key with this certificate.",
            hint="Ask the coordinator whether the site is enrolled with its latest request.json.",
        )
    if status in (404, 405):
        raise FederationError(
            f"What answers at {address} is no coordinator of fedscan.",
            hint="Use the address that the coordinator gave in its welcome.",
        )
    if status in (502, 503, 504):
        raise UnreachableError(
            f"The coordinator at {address} answers, but its server does not run just now.",
            hint="It may be starting. Ask the coordinator if this lasts.",
        )
