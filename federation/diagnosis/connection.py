"""Why a connection failed, in one sentence: the same wherever fedscan connects to something."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

from ...errors import FederationError

#: OpenSSL's verification codes (x509_vfy.h) by what is wrong with the other side's certificate.
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21, 24}
_WRONG_NAME = {62, 64}

#: Alerts (RFC 8446, 6.2) with which the other side refuses our certificate, as OpenSSL names them.
_REFUSALS = {
    "CERTIFICATE_EXPIRED": "it has expired",
    "CERTIFICATE_REVOKED": "it is revoked",
    "CERTIFICATE_REQUIRED": "none was sent",
    "CERTIFICATE_UNKNOWN": "it is not accepted",
    "BAD_CERTIFICATE": "it is damaged or not for this use",
    "UNSUPPORTED_CERTIFICATE": "it is not for this use",
    "UNKNOWN_CA": "another authority issued it",
    "ACCESS_DENIED": "it is not accepted",
    "HANDSHAKE_FAILURE": "the two have no TLS version, cipher or certificate in common",
}
#: What OpenSSL says of an answer that is not TLS.
_PLAIN = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}


class UnreachableError(FederationError):
    """The other side cannot be reached just now: waiting may help."""


def named(host: str, port: int) -> str:
    """Return host and port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def explain(error: BaseException, host: str, port: int) -> FederationError:
    """Say why connecting to a host failed.

    Args:
        error: What was raised; also by a library that wraps the cause.
        host: The host as the user named it.
        port: Its TCP port.

    Returns:
        An error whose message is one sentence, with a hint at what to do; an
        :class:`UnreachableError` where waiting may help. Nothing that the other side sent is
        quoted.
    """
    where = named(host, port)
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause, host, where)
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and (problem := _alert(cause, where)) is not None:
            return problem
    for cause in causes:
        if (problem := _network(cause, host, where)) is not None:
            return problem
    return UnreachableError(
        f"The connection to {where} ended unexpectedly.", hint="Look at the log of that server."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it wraps, in whichever way."""
    pending, visits = [error], set()
    while pending:
        current = pending.pop()
        if id(current) in visits:
            continue
        visits.add(id(current))
        yield current
        inner = (current.__cause__, current.__context__, getattr(current, "reason", None))
        pending += [item for item in (*inner, *current.args) if isinstance(item, BaseException)]


def _untrusted(error: ssl.SSLCertVerificationError, host: str, where: str) -> FederationError:
    code = error.verify_code
    if code == _EXPIRED:
        return FederationError(
            f"The certificate of {where} has expired.",
            hint="Its operator must renew it; if it has not, this machine's clock is wrong.",
        )
    if code == _NOT_YET_VALID:
        return FederationError(
            f"The certificate of {where} is not valid yet.",
            hint="This machine's clock is probably behind; set it.",
        )
    if code in _WRONG_NAME:
        return FederationError(
            f"The certificate of {where} is not for the name {host}.",
            hint="Use the name that is in the certificate, or have one issued for this name.",
        )
    if code in _UNKNOWN_AUTHORITY:
        return FederationError(
            f"The certificate of {where} was not issued by the authority that is trusted here.",
            hint="The address is another server's, something on the way breaks TLS open, or the "
            "authority's file is wrong.",
        )
    return FederationError(
        f"The certificate of {where} cannot be trusted ({error.verify_message}).",
        hint="Compare the authority's file with the one at the server.",
    )


def _alert(error: ssl.SSLError, where: str) -> FederationError | None:
    reason = (error.reason or "").upper()
    for name, meaning in _REFUSALS.items():
        if reason.endswith(name):
            return FederationError(
                f"{where} refuses this side's certificate: {meaning}.",
                hint="Ask its operator whether this certificate is still enrolled; compare "
                "fingerprints.",
            )
    if reason in _PLAIN:
        return FederationError(
            f"{where} does not answer in TLS.",
            hint="Port or scheme is wrong: something else listens there, or it is plain HTTP.",
        )
    if "ALERT" in reason:
        return FederationError(
            f"{where} ends the TLS handshake: {reason.lower().replace('_', ' ')}.",
            hint="Both sides must speak TLS 1.3; see the log of that server.",
        )
    return None


def _network(error: BaseException, host: str, where: str) -> UnreachableError | None:
    if isinstance(error, socket.gaierror):
        return UnreachableError(
            f"The name {host} cannot be resolved.",
            hint="Check the spelling and this machine's name servers.",
        )
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError(
            f"Nothing listens at {where}.",
            hint="Check the port, and whether the server is running there.",
        )
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return UnreachableError(
            f"{where} does not answer in time.",
            hint="A firewall may drop the connection: ask for that host and port to be opened.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return UnreachableError(
            f"There is no route to {where}.", hint="Check this machine's network and routes."
        )
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)):
        return UnreachableError(
            f"{where} closed the connection.",
            hint="A firewall or a proxy may be in the way, or it does not accept this client.",
        )
    return None
