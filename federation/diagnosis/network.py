"""Step by step to another machine: its name, its port, its TLS, its clock."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ...errors import FederationError
from .connection import explain, named
from .finding import DoubtError, NotApplicableError
from .route import connect, proxy_for

_LIMIT_S = 10.0
#: Flower refuses signatures that are older than five minutes.
_MOST_SKEW_S = 240.0
_NOTED_SKEW_S = 30.0
#: More than any answer that is read here has.
_MOST_BYTES = 65_536


def resolve(host: str, port: int) -> str:
    """Find the addresses of a name.

    Raises:
        FederationError: If it has none.
        NotApplicableError: If a proxy finds them instead.
    """
    if proxy := proxy_for(host, port):
        raise NotApplicableError(f"The proxy {proxy} finds the address of {host}.")
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise explain(error, host, port) from error
    addresses = sorted({str(entry[4][0]) for entry in entries})
    return f"{host} is {', '.join(addresses)}."


def reach(host: str, port: int) -> str:
    """Open a TCP connection, through the environment's proxy if there is one for the host.

    Raises:
        FederationError: If it cannot be opened.
    """
    connect(host, port, _LIMIT_S).close()
    return f"{named(host, port)} accepts connections."


@dataclass(frozen=True)
class HttpAnswer:
    """What an HTTPS server answered.

    Attributes:
        status: Status of HTTP.
        content: The first bytes.
        skew_s: Seconds that this machine's clock is ahead of the server's; ``None`` if it did
            not say.
    """

    status: int
    content: bytes
    skew_s: float | None


def ask(
    host: str,
    port: int,
    context: ssl.SSLContext,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> HttpAnswer:
    """Send one HTTPS request, through the environment's proxy if there is one for the host.

    Raises:
        FederationError: If there is no answer, or one side does not trust the other.
    """
    connection = http.client.HTTPSConnection(host, port, timeout=_LIMIT_S, context=context)
    plain_socket = connect(host, port, _LIMIT_S)
    try:
        connection.sock = context.wrap_socket(plain_socket, server_hostname=host)
        connection.request(method, path, headers=dict(headers or {}))
        reply = connection.getresponse()
        content, date = reply.read(_MOST_BYTES), reply.getheader("Date")
    except (OSError, http.client.HTTPException) as error:
        raise explain(error, host, port) from error
    finally:
        connection.close()
        plain_socket.close()
    return HttpAnswer(reply.status, content, _skew(date))


def compare_clocks(answer: HttpAnswer) -> str:
    """Compare this machine's clock with that of the server that answered.

    Raises:
        DoubtError: If they differ by more than half a minute.
        FederationError: If they differ so much that signatures are refused.
        NotApplicableError: If the server did not say its time.
    """
    if answer.skew_s is None:
        raise NotApplicableError("The other side did not say its time.")
    amount = abs(answer.skew_s)
    if amount <= _NOTED_SKEW_S:
        return f"The clocks differ by {amount:.0f} s."
    direction = "ahead of" if answer.skew_s > 0 else "behind"
    difference = f"{amount / 60:.0f} minutes" if amount >= 120 else f"{amount:.0f} s"
    kind = FederationError if amount > _MOST_SKEW_S else DoubtError
    raise kind(
        f"This machine's clock is {difference} {direction} the other side's.",
        hint="Set both by NTP: Flower refuses signatures that are older than five minutes.",
    )


def _skew(date: str | None) -> float | None:
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    if theirs.tzinfo is None:
        return None
    return (datetime.now(UTC) - theirs).total_seconds()
