"""The way to another machine: straight, or through the proxy that the environment names.

``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` mean what they mean to curl and requests. A proxy is
asked for a tunnel (CONNECT: RFC 9110, 9.3.6), through which TLS passes unopened.
"""

from __future__ import annotations

import base64
import socket
import time
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from requests.utils import get_environ_proxies, select_proxy

from ...errors import ConfigurationError, FederationError
from .connection import UnreachableError, explain, named

_MOST_BYTES = 65_536
_PORT = 3128
#: The proxy is well, and says that the other side is not.
_BEHIND = {502, 503, 504}


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """An HTTP proxy.

    Attributes:
        host: Its host.
        port: Its TCP port.
        user: ``user:password`` that it asks for; empty without.
    """

    host: str
    port: int
    user: str = ""

    def __str__(self) -> str:
        return named(self.host, self.port)


def proxy_for(host: str, port: int) -> Proxy | None:
    """Return the proxy that the environment names for a host, or ``None`` for the straight way.

    Raises:
        ConfigurationError: If what the environment names is no HTTP proxy.
    """
    url = f"https://{named(host, port)}"
    proxy_url = select_proxy(url, get_environ_proxies(url, no_proxy=None))
    if not proxy_url:
        return None
    parts = urlsplit(proxy_url if "://" in proxy_url else f"http://{proxy_url}")
    try:
        number = parts.port or _PORT
    except ValueError:
        number = 0
    if parts.scheme != "http" or not parts.hostname or not number:
        raise ConfigurationError(
            "The environment names a proxy that is not of the form http://host:port.",
            hint=f"Correct HTTPS_PROXY, or add {host} to NO_PROXY.",
        )
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    return Proxy(host=parts.hostname, port=number, user=user)


def describe_route(host: str, port: int) -> str:
    """Say which way connections to a host go.

    Raises:
        ConfigurationError: If what the environment names is no HTTP proxy.
    """
    proxy = proxy_for(host, port)
    if proxy is None:
        return f"Connections to {host} go straight there: the environment names no proxy for it."
    return f"Connections to {host} go through the proxy {proxy}."


def connect(host: str, port: int, limit_s: float) -> socket.socket:
    """Open a TCP connection to a host, through its proxy if the environment names one.

    Args:
        host: The host.
        port: Its TCP port.
        limit_s: How long each answer may take, s.

    Raises:
        ConfigurationError: If what the environment names is no HTTP proxy.
        FederationError: If the proxy refuses.
        UnreachableError: If the host or the proxy is out of reach.
    """
    proxy = proxy_for(host, port)
    if proxy is None:
        try:
            return socket.create_connection((host, port), timeout=limit_s)
        except OSError as error:
            raise explain(error, host, port) from error
    try:
        tunnel = socket.create_connection((proxy.host, proxy.port), timeout=limit_s)
        try:
            tunnel.sendall(_request(proxy, named(host, port)))
            status = _status(_head(tunnel, limit_s))
            _check(status, proxy, host, port)
        except BaseException:
            tunnel.close()
            raise
    except OSError as error:
        cause = explain(error, proxy.host, proxy.port)
        raise UnreachableError(
            cause.message, hint=f"It is the proxy that HTTPS_PROXY names. {cause.hint}"
        ) from error
    return tunnel


def _request(proxy: Proxy, target: str) -> bytes:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.user:
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(proxy.user.encode()).decode()}")
    return "\r\n".join([*lines, "", ""]).encode()


def _head(tunnel: socket.socket, limit_s: float) -> bytes:
    """Read an answer's head and not one byte more: what follows belongs to the tunnel."""
    head, deadline = b"", time.monotonic() + limit_s
    while not head.endswith(b"\r\n\r\n") and len(head) < _MOST_BYTES:
        if time.monotonic() > deadline:
            raise TimeoutError
        if not (byte := tunnel.recv(1)):
            raise ConnectionResetError
        head += byte
    return head


def _status(head: bytes) -> int:
    words = head.split(b" ", 2)
    is_http = words[0].startswith(b"HTTP/") and len(words) > 1 and words[1][:3].isdigit()
    return int(words[1][:3]) if is_http else 0


def _check(status: int, proxy: Proxy, host: str, port: int) -> None:
    if 200 <= status < 300:
        return
    if status in _BEHIND:
        raise UnreachableError(
            f"The proxy {proxy} cannot reach {named(host, port)} (status {status}).",
            hint="Check the address, or ask whether the server runs there.",
        )
    if status == 407:
        raise FederationError(
            f"The proxy {proxy} asks for a user name and a password.",
            hint="Put them into HTTPS_PROXY: http://user:password@host:port.",
        )
    if not status:
        raise FederationError(
            f"What answers at {proxy} is no HTTP proxy.", hint="Correct HTTPS_PROXY."
        )
    raise FederationError(
        f"The proxy {proxy} does not let connections to {named(host, port)} pass "
        f"(status {status}).",
        hint="Have this host and port allowed there, as a tunnel that is not opened.",
    )
