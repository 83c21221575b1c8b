"""A small real HTTP proxy that answers CONNECT and carries bytes."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ConnectProxy(ThreadingHTTPServer):
    """Listens on a free loopback port.

    Args:
        user: ``user:password`` that it asks for.
        status: Refuses every tunnel with this status; 0 to make it.
    """

    daemon_threads = True

    def __init__(self, user: str = "", status: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.user, self.status = user, status
        #: What tunnels were asked for.
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Its address as HTTPS_PROXY names it."""
        return f"http://{self.user + '@' if self.user else ''}127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ConnectProxy

    def do_CONNECT(self) -> None:
        self.server.asked.append(self.path)
        expected = base64.b64encode(self.server.user.encode()).decode()
        if self.server.user and self.headers["Proxy-Authorization"] != f"Basic {expected}":
            return self.send_error(407)
        if self.server.status:
            return self.send_error(self.server.status)
        host, _, port = self.path.rpartition(":")
        try:
            far = socket.create_connection((host, int(port)), timeout=60)
        except OSError:
            return self.send_error(502)
        self.send_response_only(200)
        self.end_headers()
        back = threading.Thread(target=_pump, args=(far, self.connection), daemon=True)
        back.start()
        _pump(self.connection, far)
        back.join()
        far.close()
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(65_536):
            target.sendall(block)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def connect_proxy(user: str = "", status: int = 0) -> Iterator[ConnectProxy]:
    """Serve while the block runs."""
    proxy = ConnectProxy(user, status)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
