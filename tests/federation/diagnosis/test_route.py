"""Connections go through the proxy that the environment names, and say what is wrong with it."""

from __future__ import annotations

import os
import socket

import pytest
from connect_proxy import connect_proxy
from fedscan.cli.environment import set_defaults
from fedscan.errors import ConfigurationError, FederationError
from fedscan.federation.diagnosis.connection import UnreachableError
from fedscan.federation.diagnosis.finding import NotApplicableError
from fedscan.federation.diagnosis.network import reach, resolve
from fedscan.federation.diagnosis.route import connect, describe_route, proxy_for


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def port_of(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def test_without_a_proxy_the_way_is_straight(server) -> None:
    connect("127.0.0.1", port_of(server), 10).close()
    assert "no proxy" in describe_route("127.0.0.1", port_of(server))


def test_a_tunnel_carries_bytes_both_ways(server, monkeypatch) -> None:
    with connect_proxy(user="north:se cret") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace(" ", "%20"))
        near = connect("127.0.0.1", port_of(server), 10)
        far, _ = server.accept()
        with near, far:
            far.sendall(b"down")
            near.sendall(b"up")
            assert (near.recv(4), far.recv(2)) == (b"down", b"up")
        assert proxy.asked == [f"127.0.0.1:{port_of(server)}"]
        assert "se cret" not in describe_route("127.0.0.1", 1)


def test_no_proxy_is_honoured(server, monkeypatch) -> None:
    with connect_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "example.org,127.0.0.0/8")
        reach("127.0.0.1", port_of(server))
        assert proxy.asked == []
        assert proxy_for("fl.example.org", 443) is None
        assert proxy_for("fl.example.com", 443) is not None


def test_the_proxy_finds_the_names(monkeypatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy.example.org:8080")
    with pytest.raises(NotApplicableError, match=r"The proxy proxy\.example\.org:8080"):
        resolve("fl.invalid", 443)


@pytest.mark.parametrize(
    ("made", "kind", "sentence"),
    [
        ({"user": "north:secret"}, FederationError, "asks for a user name and a password"),
        ({"status": 403}, FederationError, r"does not let connections .* pass \(status 403\)"),
        ({"status": 504}, UnreachableError, "cannot reach 127"),
    ],
)
def test_a_refused_tunnel_is_one_sentence(server, monkeypatch, made, kind, sentence) -> None:
    with connect_proxy(**made) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        with pytest.raises(FederationError, match=sentence) as caught:
            connect("127.0.0.1", port_of(server), 10)
    assert type(caught.value) is kind
    assert caught.value.hint
    assert "secret" not in str(caught.value)


def test_a_proxy_that_is_not_there_is_named(monkeypatch, server) -> None:
    closed = port_of(server)
    server.close()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed}")
    with pytest.raises(UnreachableError, match=f"Nothing listens at 127.0.0.1:{closed}") as caught:
        connect("fl.example.org", 443, 10)
    assert "HTTPS_PROXY" in caught.value.hint


@pytest.mark.parametrize("named", ["https://proxy:443", "socks5://proxy:1080", "http://proxy:x"])
def test_what_is_no_http_proxy_is_told(monkeypatch, named) -> None:
    monkeypatch.setenv("HTTPS_PROXY", named)
    with pytest.raises(ConfigurationError, match="http://host:port"):
        proxy_for("fl.example.org", 443)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("NO_PROXY", None, "127.0.0.1,localhost"),
        ("no_proxy", ".example.org,localhost", ".example.org,localhost,127.0.0.1"),
        ("no_proxy", "*", "*"),
    ],
)
def test_every_command_keeps_loopback_from_proxies(monkeypatch, name, before, after) -> None:
    changed = {name: before} if before is not None else {}
    monkeypatch.setattr(os, "environ", changed)
    set_defaults()
    assert os.environ[name] == after
