"""The site's daemon: connects, runs Flower's node, and brings it back whenever it dies."""

from __future__ import annotations

import shlex
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ...common.files import write_atomically
from ...errors import ConfigurationError, FederationError, FedscanError, SignatureError
from ...federation.diagnosis.certificates import check_secret
from ...federation.diagnosis.connection import UnreachableError
from ...federation.supervision.child import ChildSpec
from ...federation.supervision.service import asked_to_stop, running_in
from ...federation.supervision.supervisor import Supervisor
from ..border.connection import (
    Address,
    check_connection,
    client_context,
    require_current,
    show_certificate,
)
from ..border.counter_signature import check_counter_signature
from ..policy import SitePolicy, load_policy
from ..steward.home import SiteHome
from ..steward.opt_outs import remove_opted_out, require_list
from ..steward.policy_log import note_policies
from ..steward.secrets import secrets_of
from ..steward.status import StatusFile
from .forwarder import Forwarder
from .marks import ACCEPTED, HOME_VARIABLE

_TICK_S = 0.5
_PAUSE_S = 2.0
#: A connection outlives the certificate that it began with, so nobody else notices its end.
_CERTIFICATE_EVERY_S = 10.0
#: Another copy of the home may spend while this one is connected.
_COUNTER_SIGNATURE_EVERY_S = 60.0
#: A node that lives this long has been accepted.
_STEADY_S = 60.0
#: A restarted node is refused until its predecessor counts as gone, which takes a minute.
_MOST_QUICK_ENDS = 12
#: The coordinator's proxy takes up a new certificate a moment after it was issued, so only a
#: refusal that lasts counts.
_REFUSED_S = 15.0

#: Names of Flower's programs, as it calls them, and what stands for them here.
_PROGRAMS = {"flower-superexec": "from fedscan.client.daemon.superexec import main"}
#: No process phones home or fetches a model.
QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

#: Seconds after which SuperExec looks for a task again; it would be one.
_LOOK_S = "0.5"

_RESTARTING = "Flower's node ended and is started again."
_RESTARTING_HINT = (
    "The coordinator takes it when the one before counts as gone, which takes a minute. If this "
    "lasts, see logs/supernode.log."
)

#: Shows a line to whoever started the daemon.
Say = Callable[[str], None]


def serve(home: SiteHome, *, patience_s: float, say: Say) -> None:
    """Run the site until SIGTERM or SIGINT.

    Args:
        home: The site's home.
        patience_s: How long to try a coordinator that is out of reach at the start. Later on the
            daemon waits for it, and its status says so.
        say: Shows what happens.

    Raises:
        ConfigurationError: If a file of the site is missing or wrong.
        DataError: If somebody is gone from the opt-out list.
        FederationError: If the coordinator and the site do not accept each other, or it is out
            of reach at the start, or others can read a secret of the site.
        LedgerError: If another copy of this home has spent since this one did.
    """
    name, policy = home.settings().name, load_policy(home.policy)
    for secret in secrets_of(home).values():
        check_secret(secret)
    note_policies(home)
    # A cache that came back with a backup may have them again.
    remove_opted_out(home, require_list(home), mirrors=False)
    with running_in(home.run, f"Site {name}"), asked_to_stop() as stop:
        status = StatusFile(home)
        status.connection("connecting")
        try:
            _connect(home, patience_s, stop)
            if not stop.is_set():
                _run(home, policy, status, say, stop)
        except FedscanError as failure:
            status.ended(failure)
            raise
        status.stopped()
    say(f"Site {name} has stopped.")


def _run(
    home: SiteHome, policy: SitePolicy, status: StatusFile, say: Say, stop: threading.Event
) -> None:
    _check_counter_signature(home, say)
    status.connection("")
    say(f"Site {home.settings().name} is connected to {home.settings().coordinator}.")
    daemon = _Daemon(home, policy, status, say)
    try:
        daemon.run(stop)
    finally:
        daemon.close()


def _check_counter_signature(home: SiteHome, say: Say) -> None:
    """End where another copy of the home has spent; go on where nobody can tell."""
    try:
        check_counter_signature(home)
    except (FederationError, SignatureError) as failure:
        say(failure.message)


class _Daemon:
    def __init__(self, home: SiteHome, policy: SitePolicy, status: StatusFile, say: Say) -> None:
        self._home, self._status, self._say = home, status, say
        self._quick_ends = 0
        self._refused_since: float | None = None
        self._failure: FederationError | None = None
        self._context = client_context(home)
        self._certificate_due = 0.0
        self._counter_signature_due = time.monotonic() + _COUNTER_SIGNATURE_EVERY_S
        #: From the node's end until the coordinator has taken it again.
        self._restarting = False
        self._accepted_file = home.run / ACCEPTED
        self._forwarder = Forwarder(
            home.run,
            Address.parse(home.settings().coordinator),
            self._context,
            self._connection,
        )
        try:
            spec = node_spec(home, policy, self._forwarder)
            self._start_time = time.monotonic()
            self._supervisor = Supervisor([spec], self._ended)
        except BaseException:
            self._forwarder.close()
            raise

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(_TICK_S):
            self._supervisor.tick()
            self._check_certificate()
            self._check_node()
            if self._failure is not None:
                raise self._failure

    def close(self) -> None:
        self._supervisor.stop()
        self._forwarder.close()

    def _check_certificate(self) -> None:
        """End with an expired certificate, and take up a renewed one without a restart."""
        if time.monotonic() < self._certificate_due:
            return
        self._certificate_due = time.monotonic() + _CERTIFICATE_EVERY_S
        require_current(self._home)
        show_certificate(self._context, self._home)

    def _check_node(self) -> None:
        """Say that the node is well again, and see now and then that no other copy has spent."""
        if self._restarting and self._accepted_file.exists():
            self._restarting = False
            self._status.connection("")
        if time.monotonic() >= self._counter_signature_due and self._status.connected:
            _check_counter_signature(self._home, self._say)
            self._counter_signature_due = time.monotonic() + _COUNTER_SIGNATURE_EVERY_S

    def _connection(self, failure: FedscanError | None) -> None:
        # A node that keeps ending connects, too, and so does a site that is refused.
        if not self._restarting:
            self._status.connection(*_told(failure))

    def _ended(self, child: str, code: int) -> None:
        """Ask why the node ended: what waiting does not solve ends the daemon too."""
        steady = time.monotonic() - self._start_time > _STEADY_S
        self._quick_ends = 0 if steady else self._quick_ends + 1
        self._start_time = time.monotonic()
        self._status.restarted()
        self._restarting = True
        self._accepted_file.unlink(missing_ok=True)
        self._status.connection(_RESTARTING, _RESTARTING_HINT)
        self._say(f"Flower's node ended with status {code} and is started again.")
        try:
            check_connection(self._home)
        except UnreachableError as failure:
            self._quick_ends = 0
            self._status.connection(*_told(failure))
            self._say(failure.message)
        except FederationError as failure:
            self._status.connection(*_told(failure))
            self._refused_since = self._refused_since or self._start_time
            if self._start_time - self._refused_since > _REFUSED_S:
                self._failure = failure
                return
            self._say(failure.message)
        else:
            self._refused_since = None
        if self._quick_ends > _MOST_QUICK_ENDS:
            self._failure = FederationError(
                "The coordinator's server does not accept this site's node.",
                hint=f"See {self._home.logs / 'supernode.log'}, and ask the coordinator whether "
                "the site is enrolled with its latest request.json.",
            )


def _told(failure: FedscanError | None) -> tuple[str, str]:
    return (failure.message, failure.hint) if failure else ("", "")


def node_spec(home: SiteHome, policy: SitePolicy, forwarder: Forwarder) -> ChildSpec:
    """Return how Flower's node is run.

    Raises:
        ConfigurationError: If the home's path cannot be given to Flower.
    """
    if any(character in str(home.folder) for character in "\"'\\"):
        raise ConfigurationError(
            f"The home folder's path {home.folder} holds a quote or backslash.",
            hint="Move the site's home to a folder without them.",
        )
    programs = home.run / "bin"
    _write_programs(programs)
    environment = {
        **QUIET,
        HOME_VARIABLE: str(home.folder),
        "FLWR_HOME": str(home.run / "flower"),
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": _LOOK_S,
        # Nothing else is found: a task that Flower would run with another program is not run.
        "PATH": str(programs),
    }
    if not policy.allow_gpu:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    if policy.cpu_threads:
        environment["OMP_NUM_THREADS"] = str(policy.cpu_threads)
    return ChildSpec(
        name="supernode",
        command=[
            *(sys.executable, "-P", "-m", "fedscan.client.daemon.supernode"),
            *("--superlink", f"127.0.0.1:{forwarder.port}"),
            *("--root-certificates", str(forwarder.authority_file)),
            *("--auth-supernode-private-key", str(home.node_key)),
            *("--host", "127.0.0.1", "--port", str(_free_port())),
            *("--node-config", f'home="{home.folder}"'),
        ],
        log=home.logs / "supernode.log",
        environment=environment,
    )


def _connect(home: SiteHome, patience_s: float, stop: threading.Event) -> None:
    deadline = time.monotonic() + patience_s
    while not stop.is_set():
        try:
            return check_connection(home)
        except UnreachableError:
            if time.monotonic() >= deadline:
                raise
        stop.wait(_PAUSE_S)


def _write_programs(folder: Path) -> None:
    """Write the programs that Flower's node looks for on its path."""
    for name, importing in _PROGRAMS.items():
        source = f"{importing}; main()"
        text = f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -c '{source}' \"$@\"\n"
        path = folder / name
        write_atomically(path, text.encode())
        path.chmod(0o700)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
