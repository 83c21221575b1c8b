"""The running coordinator: its processes, and the orders that it follows."""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...common.audit.log import AuditLog
from ...common.files import write_atomically
from ...errors import FederationError
from ...federation.diagnosis.certificates import check_secret
from ...federation.pki.certificates import now
from ...federation.supervision.service import asked_to_stop, running_in
from ...federation.supervision.supervisor import Supervisor
from ...model.computing.devices import resolve_device
from .control import Control
from .counter_sign import begin
from .home import Home
from .members import members
from .processes import PROXY, SUPERLINK, processes
from .proxy import configuration_file, proxy_configuration
from .reconcile import Reconciler
from .setup import make_secret, renew_certificates

_log = logging.getLogger(__name__)

WHAT = "The coordinator"
STATUS = "status.json"

_TICK_S = 0.5
_RECONCILE_S = 2.0
_DAY_S = 86_400.0
#: How long the processes of a killed coordinator may take to leave its ports.
_PORTS_FREE_S = 30.0


def serve(home: Home, ready: Callable[[], None], device: str = "auto") -> None:
    """Run the coordinator until SIGTERM or SIGINT.

    Args:
        home: The coordinator's folder.
        ready: Called once, when sites can connect.
        device: Where it computes: auto, cpu, cuda, cuda:N or mps.

    Raises:
        ConfigurationError: If the folder is not a coordinator's, or there is no such device.
        FederationError: If it runs already, a port is taken, a program is missing, or others
            can read a key.
    """
    addresses = home.addresses
    if device != "auto":  # what that is, a study's own process finds out
        resolve_device(device)
    for secret in home.secrets:
        check_secret(secret)
    with asked_to_stop() as stop, running_in(home.run, WHAT):
        make_secret(home)
        specs = processes(home, device)
        _require_free(addresses.listen, addresses.port)
        _require_free("127.0.0.1", addresses.superlink_port)
        _maintain(home)
        proxy = _Proxy(home)
        proxy.refresh()
        _require_valid(specs[-1].command)
        audit = AuditLog(home.audit)
        audit.append("coordinator-started")

        def ended(name: str, status: int) -> None:
            audit.append("process-ended", process=name, status=status)

        supervisor = Supervisor(specs, ended)
        try:
            authority = home.authority.certificate_file.read_bytes()
            with Control(addresses.superlink, authority) as control:
                loop = _Loop(home, supervisor, Reconciler(home, control), proxy, ready)
                while not stop.wait(_TICK_S):
                    loop.tick()
        finally:
            supervisor.stop()
            audit.append("coordinator-stopped")


class _Loop:
    """What is done over and over."""

    def __init__(
        self,
        home: Home,
        supervisor: Supervisor,
        reconciler: Reconciler,
        proxy: _Proxy,
        ready: Callable[[], None],
    ) -> None:
        self._home, self._supervisor, self._reconciler = home, supervisor, reconciler
        self._proxy, self._ready = proxy, ready
        self._announced = False
        self._last_reconciliation, self._last_maintenance = 0.0, time.monotonic()

    def tick(self) -> None:
        moment = time.monotonic()
        self._supervisor.tick()
        if moment - self._last_maintenance >= _DAY_S:
            if SUPERLINK in _maintain(self._home):
                # It reads its certificate when it starts, which it does again by itself.
                self._supervisor.child(SUPERLINK).send(signal.SIGTERM)
            self._last_maintenance = moment
        if self._proxy.refresh():
            self._supervisor.child(PROXY).send(signal.SIGHUP)
        if moment - self._last_reconciliation >= _RECONCILE_S:
            self._reconcile()
            self._last_reconciliation = time.monotonic()

    def _reconcile(self) -> None:
        sites: Mapping[str, bool] = {}
        message = ""
        try:
            sites = self._reconciler.sites()
            self._reconciler.studies()
        except FederationError as error:
            message = str(error)
            if self._announced:
                _log.warning("%s", message)
        status = self._supervisor.status()
        up = not message and all(child.running for child in status.values())
        content = {
            "time": now().isoformat(),
            "ready": up,
            "message": message,
            "processes": {name: asdict(child) for name, child in status.items()},
            "sites": dict(sites),
            "refused": dict(self._reconciler.refusals),
        }
        write_atomically(self._home.run / STATUS, json.dumps(content, indent=2).encode())
        if up and not self._announced:
            self._announced = True
            self._ready()


class _Proxy:
    """The proxy's configuration, kept in step with who is a member."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._last_files: tuple[bytes, bytes] | None = None

    def refresh(self) -> bool:
        """Write the configuration if it has changed; return whether the proxy must read it."""
        path = configuration_file(self._home)
        sites = members(self._home)
        text = proxy_configuration(self._home, sites).encode()
        files = (text, self._home.authority.revocation_file.read_bytes())
        if files == self._last_files:
            return False
        for member in sites:
            begin(self._home, member.site)
        self._last_files = files
        write_atomically(path, text)
        path.chmod(0o600)
        return True


def read_status(home: Home) -> dict[str, Any]:
    """Return what the running coordinator last said of itself; empty if it never did."""
    try:
        status: dict[str, Any] = json.loads((home.run / STATUS).read_text(encoding="utf-8"))
        return status
    except (OSError, ValueError):
        return {}


def _maintain(home: Home) -> list[str]:
    """Renew what expires by itself; return the names of the certificates that were renewed.

    The list of revoked certificates is written anew each time, so that the proxy reads it and a
    new certificate of its own.
    """
    names = renew_certificates(home)
    for name in names:
        AuditLog(home.audit).append("certificate-renewed", certificate=name)
    home.authority.refresh_revocations()
    return names


def _require_free(host: str, port: int) -> None:
    deadline = time.monotonic() + _PORTS_FREE_S
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if time.monotonic() > deadline:
                    raise FederationError(
                        f"Port {port} of {host} cannot be used: {error.strerror}.",
                        hint="Stop what uses it, or change it in coordinator.json.",
                    ) from None
            else:
                return
        time.sleep(0.5)


def _require_valid(command: Any) -> None:
    """Let nginx check its configuration, which names what is wrong better than a dead process."""
    check = subprocess.run(
        [*command, "-t"], capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if check.returncode:
        lines = check.stderr.strip().splitlines()
        raise FederationError(
            f"nginx does not accept its configuration: {lines[0] if lines else 'no reason given'}",
            hint=f"See {Path(command[command.index('-c') + 1])}.",
        )
