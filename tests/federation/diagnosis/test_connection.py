"""Each way in which a connection can fail gives one sentence, from real servers on loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest
from fedscan.errors import FederationError
from fedscan.federation.diagnosis.connection import explain
from fedscan.federation.diagnosis.finding import DoubtError, NotApplicableError
from fedscan.federation.diagnosis.network import HttpAnswer, ask, compare_clocks, reach, resolve
from fedscan.federation.pki.authority import Authority
from fedscan.federation.pki.certificates import make_server, to_pem
from fedscan.federation.pki.keys import new_key, read_private_key, write_private_key


@contextmanager
def tls_server(context: ssl.SSLContext, date: str) -> Iterator[int]:
    """Answer each caller with an empty page while the block runs."""
    page = f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                caller, _ = listening.accept()
            except OSError:
                return
            with context.wrap_socket(
                caller, server_side=True, do_handshake_on_connect=False
            ) as encrypted:
                try:
                    encrypted.do_handshake()
                    encrypted.recv(65_536)
                    encrypted.sendall(page)
                except OSError:
                    # Closed with bytes unread, the connection would be reset before the alert
                    # is seen.
                    with contextlib.suppress(OSError):
                        while os.read(encrypted.fileno(), 65_536):
                            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


class Federation:
    """An authority, and what it issues, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.create(folder / "ca", folder.name)
        write_private_key(folder / "server.key", new_key())
        self.key = read_private_key(folder / "server.key")

    def server(self, *, hosts: tuple[str, ...] = ("localhost",), days: int = 10) -> ssl.SSLContext:
        certificate = make_server(
            hosts,
            self.key.public_key(),
            self.authority.certificate,
            read_private_key(self.folder / "ca" / "ca.key"),
            days=days,
        )
        (self.folder / "server.crt").write_bytes(to_pem(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.crt", self.folder / "server.key")
        return context

    def client(self, *, issued_by: Authority | None = None) -> ssl.SSLContext:
        """What a site trusts, and optionally shows."""
        context = ssl.create_default_context(cafile=str(self.authority.certificate_file))
        if issued_by is not None:
            write_private_key(self.folder / "site.key", new_key())
            key = read_private_key(self.folder / "site.key").public_key()
            (self.folder / "site.crt").write_bytes(issued_by.issue_site("north", key, "key"))
            context.load_cert_chain(self.folder / "site.crt", self.folder / "site.key")
        return context


@pytest.fixture
def own(tmp_path: Path) -> Federation:
    (tmp_path / "own").mkdir()
    return Federation(tmp_path / "own")


@pytest.fixture
def other(tmp_path: Path) -> Federation:
    (tmp_path / "other").mkdir()
    return Federation(tmp_path / "other")


def failure(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    with tls_server(server, formatdate(usegmt=True)) as port:
        with pytest.raises(FederationError) as caught:
            ask("localhost", port, client, "/")
        where = f"localhost:{port}"
    assert caught.value.hint
    assert caught.value.message.count(where) <= 1
    return caught.value.message.replace(where, "SERVER")


def test_the_right_server_answers(own):
    with tls_server(own.server(), formatdate(usegmt=True)) as port:
        answer = ask("localhost", port, own.client(), "/")
        assert resolve("localhost", port).startswith("localhost is ")
        assert "accepts connections" in reach("localhost", port)
    assert answer.status == 200
    assert "The clocks differ by" in compare_clocks(answer)


def test_another_authority(own, other):
    assert failure(other.server(), own.client()) == (
        "The certificate of SERVER was not issued by the authority that is trusted here."
    )


def test_an_expired_certificate(own):
    assert failure(own.server(days=0), own.client()) == "The certificate of SERVER has expired."


def test_a_certificate_for_another_name(own):
    message = failure(own.server(hosts=("fl.example.org",)), own.client())
    assert message == "The certificate of SERVER is not for the name localhost."


@pytest.mark.parametrize("shown", ["none", "another authority's"])
def test_a_refused_client_certificate(own, other, shown):
    server = own.server()
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(own.authority.certificate_file)
    issuer = None if shown == "none" else other.authority
    message = failure(server, own.client(issued_by=issuer))
    reason = "none was sent" if shown == "none" else "another authority issued it"
    assert message == f"SERVER refuses this side's certificate: {reason}."


def test_an_accepted_client_certificate(own):
    server = own.server()
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(own.authority.certificate_file)
    with tls_server(server, formatdate(usegmt=True)) as port:
        assert ask("localhost", port, own.client(issued_by=own.authority), "/").status == 200


def test_something_without_tls(own):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def greet() -> None:
            caller, _ = server.accept()
            caller.sendall(b"220 mail.example.org ready\r\n")
            caller.close()

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(FederationError, match="does not answer in TLS"):
            ask("localhost", port, own.client(), "/")
        thread.join()


def test_nobody_and_no_such_name():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(FederationError, match=f"Nothing listens at localhost:{port}"):
        reach("localhost", port)
    with pytest.raises(FederationError, match=r"The name fl\.invalid cannot be resolved"):
        resolve("fl.invalid", 443)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError(), "does not answer in time"),
        (OSError(113, "No route to host"), "no route"),
        (ConnectionResetError(), "closed the connection"),
        (RuntimeError("wrapped"), "ended unexpectedly"),
    ],
)
def test_other_failures_are_told_through_whatever_wraps_them(error, said):
    wrapped = RuntimeError("outer", RuntimeError("inner"))
    wrapped.__cause__ = error
    found = explain(wrapped, "host", 1)
    assert said in found.message
    assert "inner" not in found.message


@pytest.mark.parametrize(
    ("ahead_s", "expected"),
    [(0, None), (-29, None), (31, DoubtError), (-600, FederationError), (241, FederationError)],
)
def test_clocks(ahead_s, expected):
    answer = HttpAnswer(200, b"", float(ahead_s))
    if expected is None:
        assert "differ by" in compare_clocks(answer)
        return
    with pytest.raises(expected) as caught:
        compare_clocks(answer)
    assert ("ahead of" if ahead_s > 0 else "behind") in caught.value.message


def test_a_clock_that_is_not_told(own):
    with tls_server(own.server(), "yesterday") as port:
        answer = ask("localhost", port, own.client(), "/")
    with pytest.raises(NotApplicableError):
        compare_clocks(answer)
