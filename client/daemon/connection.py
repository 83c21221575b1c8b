"""The way to the coordinator: TLS with the site's certificate, and what is wrong with it if any.

A problem that waiting does not solve (another authority, an expired certificate, a refused key)
is a :class:`FederationError`; a coordinator that is out of reach is :class:`UnreachableError`.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ...errors import ConfigurationError, FederationError
from ...pki.certificates import days_left, load_certificate, require_issued_by
from ...pki.keys import public_pem, read_private_key
from .home import SiteHome

_LIMIT_S = 10.0
#: Flower refuses signatures that are older than five minutes.
_MOST_CLOCK_SKEW_S = 240
_PROBE = "/v1/fleet/pull-messages"

# Results of OpenSSL's verification (x509_vfy.h).
_NOT_YET_VALID, _EXPIRED, _HOSTNAME, _ADDRESS = 9, 10, 62, 64


class UnreachableError(FederationError):
    """The coordinator cannot be reached just now."""


@dataclass(frozen=True)
class Address:
    """Host and port of the coordinator."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

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
    certificate, authority = load_certificate(home.certificate), load_certificate(home.authority)
    require_issued_by(certificate, authority)
    for what, one in (("The site's", certificate), ("The authority's", authority)):
        if days_left(one) < 0:
            raise FederationError(
                f"{what} certificate expired on {one.not_valid_after_utc:%Y-%m-%d}.",
                hint="Ask the coordinator for a new welcome file.",
            )
    context = ssl.create_default_context(cafile=str(home.authority))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(home.certificate, home.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise FederationError(
            "The site's certificate and its key do not belong together.",
            hint="Send request.json to the coordinator again and join with the new welcome file.",
        ) from error
    return context


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
    connection = http.client.HTTPSConnection(
        address.host, address.port, timeout=_LIMIT_S, context=context
    )
    try:
        connection.request("POST", _PROBE, body=b"", headers=headers)
        reply = connection.getresponse()
        status, date, text = reply.status, reply.getheader("Date"), reply.read(4096)
    except (OSError, http.client.HTTPException) as error:
        raise connection_error(error, address) from error
    finally:
        connection.close()
    _check_reply(status, text, address)
    _check_clock(date)


def connection_error(error: Exception, address: Address) -> FederationError:
    """Say in one sentence what a failed connection means."""
    match error:
        case ssl.SSLCertVerificationError(verify_code=code):
            return _verification_error(code, address)
        case ssl.SSLError(reason=reason) if reason and "ALERT" in reason:
            return _refused(f"TLS: {reason.lower().replace('_', ' ')}")
        case ssl.SSLError():
            return FederationError(
                f"What answers at {address} does not speak TLS as a coordinator does.",
                hint="Check the coordinator's address and whether something stands in between.",
            )
        case socket.gaierror():
            return UnreachableError(
                f"The name {address.host!r} of the coordinator is not known here.",
                hint="Check the address in site.toml, and this machine's name resolution.",
            )
        case ConnectionRefusedError():
            reason = "nothing listens there"
        case TimeoutError():
            reason = f"no answer in {_LIMIT_S:g} s"
        case OSError():
            reason = error.strerror or "the connection was cut"
        case _:
            reason = "the connection was cut"
    return UnreachableError(
        f"The coordinator at {address} is out of reach: {reason}.",
        hint="Check the address in site.toml and the firewall, or ask whether it runs.",
    )


def _verification_error(code: int, address: Address) -> FederationError:
    if code == _EXPIRED:
        return FederationError(
            f"The certificate of the coordinator at {address} has expired.",
            hint="The coordinator must renew it; also check this machine's clock.",
        )
    if code == _NOT_YET_VALID:
        return FederationError(
            f"The certificate of the coordinator at {address} is not valid yet.",
            hint="Check this machine's clock.",
        )
    if code in (_HOSTNAME, _ADDRESS):
        return FederationError(
            f"The certificate at {address} is not for {address.host!r}.",
            hint="Use the address that the coordinator gave in its welcome.",
        )
    return FederationError(
        f"The certificate at {address} is not from this federation's authority.",
        hint="Either the address is not the coordinator's, or ca.crt is of another federation.",
    )


def _refused(why: str) -> FederationError:
    return FederationError(
        f"The coordinator does not accept this site's certificate ({why}).",
        hint="It may be revoked or replaced: ask the coordinator for a new welcome file.",
    )


def _check_reply(status: int, text: bytes, address: Address) -> None:
    if status == 400 and b"certificate" in text.lower():
        raise _refused("it was checked and refused")
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


def _check_clock(date: str | None) -> None:
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return
    skew = (datetime.now(UTC) - theirs).total_seconds()
    if abs(skew) > _MOST_CLOCK_SKEW_S:
        direction = "ahead of" if skew > 0 else "behind"
        raise FederationError(
            f"This machine's clock is {abs(skew) / 60:.0f} minutes {direction} the coordinator's.",
            hint="Set the clock (NTP): signatures older than five minutes are refused.",
        )
