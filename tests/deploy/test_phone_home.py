"""No process of fedscan asks for a name or an address beyond this machine: strace watches."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from deploy_tools import tool
from fedscan.model.storage import shipped_base
from loopback import SITES, Federation

_CALL = "import socket; socket.socket().connect_ex(('127.0.0.1', 9))"

_IPV4 = re.compile(r'sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)')
_IPV6 = re.compile(r'sin6_port=htons\((\d+)\).*?inet_pton\(AF_INET6, "([^"]+)"')
_RESOLVER = re.compile(r'sun_path="([^"]*resolve[^"]*)"')


def outside(log: Path) -> list[str]:
    """Return what a trace shows of calls to others, and of questions for names."""
    found = []
    for line in log.read_text(errors="replace").splitlines():
        for port, address in (*_IPV4.findall(line), *_IPV6.findall(line)):
            loopback = address.removeprefix("::ffff:").startswith("127.") or address == "::1"
            # A name server may well be on this machine, and ask others.
            if not loopback or port == "53":
                found.append(line)
        if _RESOLVER.search(line):
            found.append(line)
    return found


def traced(log: Path, *command: str) -> list[str]:
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    return [tool("strace"), "-f", "--seccomp-bpf", "-qq", "-e", calls, "-o", str(log), *command]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A trace to write; skips where a process may not watch another."""
    file = tmp_path / "trace"
    probe = subprocess.run(
        traced(file, sys.executable, "-c", _CALL),
        capture_output=True,
        text=True,
    )  # fmt: skip
    if probe.returncode or "htons(9)" not in file.read_text():
        pytest.skip(f"strace cannot watch here: {probe.stderr.strip()[:100]}")
    file.unlink()
    return file


def test_the_watch_sees_a_question_for_a_name(log: Path) -> None:
    code = "import socket; socket.getaddrinfo('fedscan.invalid', 443)"
    subprocess.run(traced(log, sys.executable, "-c", code), capture_output=True)
    assert outside(log)


def fedscan(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from fedscan.cli.main import run; run()", *arguments]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("site", "init", "north", "--home", "HERE/site"),
        ("coordinator", "init", "--host", "fl.example.org", "--home", "HERE/coordinator"),
        ("generate", str(shipped_base()), "--prompt", "axial CT slice of the head",
         "-n", "1", "--steps", "1", "--out", "HERE/images"),
    ],
    ids=["version", "site-init", "coordinator-init", "generate"],
)  # fmt: skip
def test_a_command_keeps_to_itself(arguments: tuple[str, ...], log: Path, tmp_path: Path) -> None:
    own = [one.replace("HERE", str(tmp_path)) for one in arguments]
    done = subprocess.run(traced(log, *fedscan(*own)), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outside(log) == []


@pytest.mark.real_processes
def test_a_federation_with_a_study_keeps_to_itself(log: Path, tmp_path: Path) -> None:
    """Proxy, SuperLink, SuperExec, ServerApp, two daemons, their SuperNodes and ClientApps."""
    tool("nginx")
    federation = Federation(
        tmp_path / "federation", lambda name: [*traced(log.with_suffix(f".{name}")), "-D"]
    )
    study = federation.submit("watched", "federation.wire=int8", "evaluation.preview_prompts=[]")
    try:
        federation.start()
        federation.finish(study)
    finally:
        federation.stop()
    traces = [log.with_suffix(f".{name}") for name in ("coordinator", *SITES)]
    for trace in traces:
        # Each side did call the other.
        assert f"htons({federation.port})" in trace.read_text() or trace.suffix == ".coordinator"
        assert outside(trace) == []
