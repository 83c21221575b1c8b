"""The way to the coordinator, against real TLS servers on the loopback interface."""

from __future__ import annotations

import base64
import datetime
import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from connect_proxy import connect_proxy
from fedscan.client.border.connection import Address, check_connection, client_context
from fedscan.client.daemon.forwarder import Forwarder
from fedscan.client.daemon.service import node_spec
from fedscan.client.policy import SitePolicy
from fedscan.client.steward.enrolment import init_site, join
from fedscan.client.steward.home import SiteHome, SiteSettings
from fedscan.errors import ConfigurationError, FederationError, FedscanError
from fedscan.federation.diagnosis.connection import UnreachableError
from fedscan.federation.pki.authority import Authority
from fedscan.federation.pki.certificates import make_client, make_server, to_pem
from fedscan.federation.pki.enrolment import Welcome
from fedscan.federation.pki.keys import new_key, public_pem, read_private_key, write_private_key

Reply = Callable[[BaseHTTPRequestHandler], None]


class Coordinator:
    """An authority, and TLS servers that answer as they are told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.authority = folder, Authority.create(folder / "ca", "test")
        #: Node keys that were shown to it.
        self.shown: list[str | None] = []

    @contextmanager
    def serving(
        self,
        *,
        status: int = 401,
        text: bytes = b"",
        hosts: tuple[str, ...] = ("127.0.0.1",),
        authority: Authority | None = None,
        days: int = 10,
        behind_s: float = 0.0,
        tls: bool = True,
    ) -> Iterator[int]:
        """Serve on a free port."""
        issuer, shown = authority or self.authority, self.shown

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                shown.append(self.headers["flwr-public-key"])
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                moment = datetime.datetime.now(datetime.UTC)
                date = format_datetime(moment - datetime.timedelta(seconds=behind_s), usegmt=True)
                self.send_response_only(status)
                self.send_header("Date", date)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            key, folder = new_key(), self.folder / f"server-{server.server_port}"
            write_private_key(folder / "key", key)
            ca_key = read_private_key(issuer.certificate_file.with_name("ca.key"))
            made = make_server(hosts, key.public_key(), issuer.certificate, ca_key, days=days)
            (folder / "crt").write_bytes(to_pem(made))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "crt", folder / "key")
            context.load_verify_locations(self.authority.certificate_file)
            context.verify_mode = ssl.CERT_REQUIRED
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def coordinator(tmp_path: Path) -> Coordinator:
    return Coordinator(tmp_path)


@pytest.fixture
def home(coordinator: Coordinator, tmp_path: Path) -> SiteHome:
    request = init_site(tmp_path / "north", SiteSettings(name="north"))
    home = SiteHome.open(tmp_path / "north")
    certificate = coordinator.authority.issue_site("north", request.public_key(), request.node_key)
    join(
        home,
        Welcome(
            site="north",
            coordinator="127.0.0.1:1",
            authority=coordinator.authority.certificate_file.read_text(),
            certificate=certificate.decode(),
            record_key="",
        ),
    )
    return home


def at(home: SiteHome, port: int, host: str = "127.0.0.1") -> SiteHome:
    home.change_settings(coordinator=f"{host}:{port}")
    return home


@pytest.mark.parametrize("status", [200, 401, 400])
def test_a_coordinator_that_accepts_the_site_is_fine(
    coordinator: Coordinator, home: SiteHome, status: int
) -> None:
    with coordinator.serving(status=status) as port:
        check_connection(at(home, port))
    key = read_private_key(home.node_key).public_key()
    assert coordinator.shown == [base64.b64encode(public_pem(key)).decode()]


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        ({"days": 0}, "has expired"),
        ({"hosts": ("coordinator.example",)}, "is not for the name 127.0.0.1"),
        ({"tls": False}, "does not answer in TLS"),
        ({"status": 400, "text": b"The SSL certificate error"}, "not accept this site's certif"),
        ({"status": 403}, "does not accept this site's node key"),
        ({"status": 404}, "no coordinator of fedscan"),
        ({"behind_s": 600}, "10 minutes ahead of"),
        ({"behind_s": -600}, "10 minutes behind"),
    ],
)
def test_what_waiting_does_not_solve_is_one_sentence(
    coordinator: Coordinator, home: SiteHome, server: dict, sentence: str
) -> None:
    with (
        coordinator.serving(**server) as port,
        pytest.raises(FederationError, match=sentence) as failure,
    ):
        check_connection(at(home, port))
    assert not isinstance(failure.value, UnreachableError)
    assert failure.value.message.count(". ") == 0
    assert failure.value.hint


def test_another_authority_is_told(coordinator: Coordinator, home: SiteHome, tmp_path) -> None:
    other = Authority.create(tmp_path / "other", "other")
    with (
        coordinator.serving(authority=other) as port,
        pytest.raises(FederationError, match="not issued by the authority that is trusted here"),
    ):
        check_connection(at(home, port))


def test_an_expired_certificate_of_the_site_is_told(
    coordinator: Coordinator, home: SiteHome
) -> None:
    ca_key = read_private_key(coordinator.authority.certificate_file.with_name("ca.key"))
    key = read_private_key(home.tls_key).public_key()
    expired = make_client("north", key, coordinator.authority.certificate, ca_key, days=0)
    home.certificate.write_bytes(to_pem(expired))
    with pytest.raises(FederationError, match="The site's certificate expired on"):
        check_connection(at(home, 1))


def test_a_key_of_another_site_is_told(home: SiteHome) -> None:
    home.tls_key.unlink()
    write_private_key(home.tls_key, new_key())
    with pytest.raises(FederationError, match="do not belong together"):
        client_context(home)


@pytest.mark.parametrize(
    ("server", "sentence"),
    [({"status": 502}, "its server does not run"), (None, "Nothing listens")],
)
def test_what_waiting_may_solve_is_told_apart(
    coordinator: Coordinator, home: SiteHome, server: dict | None, sentence: str
) -> None:
    with coordinator.serving(**server or {}) as port:
        if server:
            with pytest.raises(UnreachableError, match=sentence):
                check_connection(at(home, port))
    if not server:
        with pytest.raises(UnreachableError, match=sentence):
            check_connection(at(home, port))


def test_an_unknown_name_is_told(home: SiteHome) -> None:
    with pytest.raises(UnreachableError, match="cannot be resolved"):
        check_connection(at(home, 8443, "coordinator.invalid"))


@pytest.mark.parametrize("text", ["", "coordinator", "coordinator:", ":1", "a:70000", "a:x"])
def test_a_wrong_address_is_told(text: str) -> None:
    with pytest.raises(ConfigurationError, match="not host:port"):
        Address.parse(text)


def test_an_address_reads_back() -> None:
    for text in ("coordinator.example:8443", "[::1]:8443"):
        assert str(Address.parse(text)) == text


@pytest.mark.parametrize("proxied", [False, True])
def test_the_forwarder_carries_a_request_and_its_answer(
    coordinator: Coordinator, home: SiteHome, proxied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[FedscanError | None] = []
    body = bytes(range(256)) * 4000
    with connect_proxy() as proxy, coordinator.serving(status=200, text=body) as port:
        if proxied:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "example.org")
        check_connection(at(home, port))
        forwarder = Forwarder(
            home.run, Address("127.0.0.1", port), client_context(home), told.append
        )
        try:
            context = ssl.create_default_context(cafile=str(forwarder.authority_file))
            for _ in range(2):
                near = http.client.HTTPSConnection(
                    "127.0.0.1", forwarder.port, context=context, timeout=60
                )
                near.request("POST", "/v1/fleet/pull-messages", body=body)
                answer = near.getresponse()
                assert (answer.status, answer.read()) == (200, body)
                near.close()
        finally:
            forwarder.close()
        assert proxy.asked == ([f"127.0.0.1:{port}"] * 3 if proxied else [])
    assert told == [None, None]


def test_the_node_gets_what_the_policy_allows_of_the_machine(home: SiteHome) -> None:
    at(home, 1)
    forwarder = Forwarder(home.run, Address("127.0.0.1", 1), client_context(home), lambda _: None)
    try:
        strict = node_spec(home, SitePolicy(allow_gpu=False, cpu_threads=3), forwarder)
        free = node_spec(home, SitePolicy(), forwarder)
    finally:
        forwarder.close()
    assert strict.environment["CUDA_VISIBLE_DEVICES"] == ""
    assert strict.environment["OMP_NUM_THREADS"] == "3"
    assert not {"CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"} & set(free.environment)


def test_the_forwarder_says_unavailable_while_nobody_answers(home: SiteHome) -> None:
    told: list[FedscanError | None] = []
    forwarder = Forwarder(home.run, Address("127.0.0.1", 1), client_context(home), told.append)
    try:
        context = ssl.create_default_context(cafile=str(forwarder.authority_file))
        near = http.client.HTTPSConnection("127.0.0.1", forwarder.port, context=context, timeout=60)
        near.request("POST", "/v1/fleet/pull-messages", body=b"")
        assert near.getresponse().status == 503
        near.close()
    finally:
        forwarder.close()
    assert [type(one) for one in told] == [UnreachableError]
