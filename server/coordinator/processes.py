"""The coordinator's processes: SuperLink, SuperExec and proxy."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from ...errors import FederationError
from ...federation.supervision.child import ChildSpec
from .home import DEVICE_VARIABLE, HOME_VARIABLE, Home
from .proxy import configuration_file
from .setup import SECRET

SUPERLINK = "superlink"
SUPEREXEC = "superexec"
PROXY = "proxy"

#: Folders where a system keeps its servers, which need not be on a user's search path.
_SYSTEM = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")


def processes(home: Home, device: str = "auto") -> list[ChildSpec]:
    """Return what a coordinator runs, in the order of starting.

    The ServerApp is a child of SuperExec and not of the SuperLink, so that a study goes on when
    the SuperLink is killed and started again.

    Args:
        home: The coordinator's folder.
        device: Where studies' ServerApps compute.

    Raises:
        FederationError: If a program is not installed.
    """
    address, environment = home.addresses.superlink, _environment(home, device)
    secret = str(home.run / SECRET)
    authority = str(home.authority.certificate_file)
    host, port = address.split(":")
    superlink = [
        *(sys.executable, "-P", "-m", "fedscan.server.coordinator.superlink"),
        *("--host", host, "--port", port),
        *("--ssl-ca-certfile", authority),
        *("--ssl-certfile", str(home.superlink / "superlink.crt")),
        *("--ssl-keyfile", str(home.superlink / "superlink.key")),
        *("--database", str(home.superlink / "state.db")),
        *("--isolation", "process"),
        *("--superexec-auth-secret-file", secret),
        "--enable-supernode-auth",
        "--disable-runtime-dependency-installation",
    ]
    superexec = [
        find_program("flower-superexec"),
        *("--runtime-api-address", address),
        *("--root-certificates", authority),
        *("--superexec-auth-secret-file", secret),
    ]
    proxy = [find_program("nginx"), "-p", str(home.proxy), "-c", str(configuration_file(home))]
    proxy += ["-e", "stderr"]
    return [
        ChildSpec(
            name=name, command=command, log=home.logs / f"{name}.log", environment=environment
        )
        for name, command in ((SUPERLINK, superlink), (SUPEREXEC, superexec), (PROXY, proxy))
    ]


def _environment(home: Home, device: str) -> dict[str, str]:
    beside = str(Path(sys.executable).parent)
    return {
        HOME_VARIABLE: str(home.root),
        DEVICE_VARIABLE: device,
        "FLWR_HOME": str(home.superlink / "flower"),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "HF_HUB_OFFLINE": "1",
        # SuperExec finds the program that runs a ServerApp by name.
        "PATH": os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]),
    }


def find_program(name: str) -> str:
    """Find a program: beside this Python, on the path, or among the system's own.

    Raises:
        FederationError: If it is not installed.
    """
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), *_SYSTEM]
    program = shutil.which(name, path=os.pathsep.join(folders))
    if program is None:
        raise FederationError(
            f"The program {name} is not installed.",
            hint="Install nginx with the system's package manager (`apt install nginx-light`)."
            if name == "nginx"
            else "Install fedscan again: the program belongs to flwr.",
        )
    return program
