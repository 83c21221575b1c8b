"""Chromium without a window, for the tests of pages; they are skipped where there is none."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

#: Wider than its place, or cut off by it.
CUT_OFF = """
[document.documentElement,
 ...document.querySelectorAll("td, th, p, h1, h2, h3, h4, dd, button, label, figure")]
    .filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0)
    .map(one => `${one.tagName} ${one.textContent.slice(0, 60)}`)
"""

#: How bright the page's ground is, of 255.
BRIGHTNESS = """
getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).slice(0, 3)
    .reduce((sum, part) => sum + Number(part) / 3, 0)
"""

#: What the element that has the focus is called; nothing has it where it is the whole page.
_FOCUS = (
    "(one => one === document.body ? '' : one.innerText || one.name || one.id)"
    "(document.activeElement)"
)

#: Codes of keys that are no characters.
KEYS = {"Enter": 13, "Backspace": 8, "Tab": 9}

needs_chromium = pytest.mark.skipif(_CHROMIUM is None, reason="no Chromium on this machine")


def chromium(profile: Path, *arguments: str) -> list[str]:
    """Return a command line of the browser, with a profile of its own."""
    return [str(_CHROMIUM), *_FLAGS, f"--user-data-dir={profile}", *arguments]


def loaded_page(profile: Path, address: str, *switches: str) -> str:
    """Return a page's HTML as it is once its scripts have run."""
    done = subprocess.run(
        chromium(profile, *switches, "--dump-dom", address),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    return done.stdout


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an application on a free port of loopback; yield its address."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, ws="none", log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class PageCommand:
    """A command that serves a page, as a process of its own, and the address that it printed."""

    process: subprocess.Popen[str]
    address: str


@contextmanager
def page_by_command(*words: str | Path) -> Iterator[PageCommand]:
    """Run a command of fedscan that serves a page on a free port; it is gone at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    program = "from fedscan.cli.main import run; run()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words), "--port", port],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        found = re.match(rf"http://127\.0\.0\.1:{port}/\S*", said)
        assert found, said + process.stdout.read()
        _listening(int(port), process)
        yield PageCommand(process, found[0])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _listening(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"nothing listens on port {port}")


class Browser:
    """A page of Chromium, which speaks JSON over two pipes."""

    def __init__(self, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # The browser reads from descriptor 3 and writes to 4.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "bash",
             *chromium(profile, "--remote-debugging-pipe", "about:blank")],
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self._left = b""
        self._number = 0
        self.asked: list[str] = []
        (page,) = [
            one
            for one in self.call("Target.getTargets", {}, whole=True)["targetInfos"]
            if one["type"] == "page"
        ]
        attach = {"targetId": page["targetId"], "flatten": True}
        self._session = self.call("Target.attachToTarget", attach, whole=True)["sessionId"]
        self.call("Page.enable")
        self.call("Network.enable")

    def call(
        self, method: str, values: dict[str, Any] | None = None, *, whole: bool = False
    ) -> Any:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": values or {}}
        if not whole:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, address: str) -> None:
        self.call("Page.navigate", {"url": address})

    def value(self, expression: str) -> Any:
        wanted = {"expression": expression, "returnByValue": True}
        return self.call("Runtime.evaluate", wanted)["result"].get("value")

    def window(self, width: int, scheme: str = "light") -> None:
        """Make the page's window so wide, and prefer light or dark."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", {"features": [feature]})

    def until(self, expression: str) -> None:
        deadline = time.monotonic() + 120
        while not self.value(expression):
            assert time.monotonic() < deadline, self.value("document.body.innerText")
            time.sleep(0.05)

    def press(self, key: str) -> None:
        values: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": KEYS.get(key, ord(key[0]))}
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        if key == "Space":
            values, text = {"key": " ", "code": "Space", "windowsVirtualKeyCode": 32}, {"text": " "}
        self.call("Input.dispatchKeyEvent", {"type": "keyDown", **values, **text})
        self.call("Input.dispatchKeyEvent", {"type": "keyUp", **values})

    def tab_to(self, what: str) -> None:
        """Go by the Tab key to what is called so; there must be a way."""
        for _ in range(80):
            if what in self.focus():
                return
            self.press("Tab")
        pytest.fail(f"no way to {what} by keyboard")

    def focus(self) -> str:
        """Return what the element is called that has the focus; nothing where none has."""
        return str(self.value(_FOCUS))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        os.close(self._write)
        os.close(self._read)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            part = os.read(self._read, 65536)
            assert part, "the browser ended"
            self._left += part
        message, _, self._left = self._left.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        if found.get("method") == "Network.requestWillBeSent":
            self.asked.append(found["params"]["request"]["url"])
        return found
