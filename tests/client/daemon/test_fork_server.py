"""The process that a round's process is forked from: what it must not have touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from fedscan.client.daemon import clientapp, superexec

_WATCHED = """
import importlib, sys, threading
import torch

asked = []
for place, names in (
    (torch.cuda, ("_lazy_init", "init", "is_available", "device_count", "current_device")),
    (torch._C, ("_cuda_init", "_cuda_getDeviceCount", "_cuda_getDevice")),
):
    # A torch without CUDA lacks those of the second line.
    for name in filter(lambda name: hasattr(place, name), names):
        setattr(place, name, lambda *given, name=name: asked.append(name) or 0)
from fedscan.client.daemon import superexec

for name in superexec._NEEDED:
    importlib.import_module(name)
loaded = "libcuda.so" in open("/proc/self/maps").read()
print(asked, [one.name for one in threading.enumerate()], loaded)
torch.cuda.is_available()
print(asked)
"""


def test_what_is_imported_beforehand_asks_for_no_graphics_processor_and_starts_no_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.stdout.splitlines() == [
        "[] ['MainThread'] False",
        "['is_available']",  # the watch works
    ], done.stderr


@pytest.mark.parametrize("used", [False, True])
def test_a_fork_of_a_process_that_used_one_starts_anew(
    used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    class StartedError(Exception):
        """In place of what does not return."""

    def start(way: str) -> Callable[..., None]:
        def called(*given: object) -> None:
            started.append([way, *map(str, given[1] if given else sys.argv)])
            raise StartedError

        return called

    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: used)
    monkeypatch.setattr(os, "execv", start("anew"))
    monkeypatch.setattr(clientapp, "main", start("here"))
    monkeypatch.setattr(sys, "argv", sys.argv)
    with pytest.raises(StartedError):
        superexec._run(["--token", "t"])
    program = [sys.executable, "-P", "-m", "fedscan.client.daemon.clientapp"]
    assert started == [
        ["anew", *program, "--token", "t"] if used else ["here", "flwr-clientapp", "--token", "t"]
    ]
