"""Process-wide settings that must stand before Flower, Ray or transformers are imported."""

from __future__ import annotations

import io
import os
import sys

_DEFAULTS = {
    # Whatever the locale says, text is UTF-8.
    "PYTHONUTF8": "1",
    # No process of fedscan phones home.
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # The default encoder loads from an installed package; a hub is asked only on request.
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

_LOOPBACK = ("127.0.0.1", "localhost")


def set_defaults() -> None:
    """Set each variable that the user has not set; child processes inherit them."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    _keep_loopback_from_proxies()


def speak_utf8() -> None:
    """Print UTF-8 in every locale: files made of what is printed are read as UTF-8 again."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _keep_loopback_from_proxies() -> None:
    """Add the loopback interface to NO_PROXY: fedscan's own processes meet there."""
    for name in [name for name in ("no_proxy", "NO_PROXY") if name in os.environ] or ["NO_PROXY"]:
        hosts = [one for one in os.environ.get(name, "").split(",") if one.strip()]
        missing = [one for one in _LOOPBACK if one not in hosts]
        if "*" not in hosts and missing:
            os.environ[name] = ",".join([*hosts, *missing])
