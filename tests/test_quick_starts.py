"""Processes that stand by for others open no network library: it would take seconds and memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HEAVY = ("torch", "diffusers", "transformers", "peft", "nilearn", "sklearn")


@pytest.mark.parametrize(
    "module",
    [
        "client.daemon.service",
        "client.daemon.supernode",
        "client.daemon.superexec",
        "client.page.access",
        "server.coordinator.service",
        "server.coordinator.overview",
        "server.coordinator.superlink",
        "server.dashboard.app",
        "cli.main",
    ],
)
def test_it_starts_without(module: str) -> None:
    code = f"import sys, fedscan.{module}; print([one for one in {_HEAVY} if one in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600
    )
    assert done.stdout.strip() == "[]"
