"""What may keep a coordinator from working: ``fedscan doctor --coordinator``."""

from __future__ import annotations

import sqlite3
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ...common.counted import counted
from ...config.study import load_study
from ...errors import ConfigurationError, FederationError
from ...federation.diagnosis.audit_log import check_audit_log
from ...federation.diagnosis.certificates import check_certificate, check_revocations, check_secret
from ...federation.diagnosis.finding import (
    DoubtError,
    Finding,
    NotApplicableError,
    examine,
    examine_in_turn,
)
from ...federation.diagnosis.machine import check_room, installed_versions
from ...federation.diagnosis.network import ask, reach, resolve
from ...federation.diagnosis.route import describe_route
from ...federation.supervision.service import is_running
from .home import Home
from .processes import find_program
from .service import read_status

_RENEW_OWN = "`fedscan coordinator start` renews it by itself; start it anew."
_RENEW_AUTHORITY = "Make a new federation in time: every site must join with the new authority."
_RENEW_SITE = "Ask the site for its request.json and run `fedscan coordinator enrol` again."
_PROGRAMS = ("nginx", "flower-superexec")


def examine_coordinator(folder: Path) -> Iterator[Finding]:
    """Look at everything that a coordinator needs, one finding at a time; nothing is changed.

    Raises:
        ConfigurationError: If the folder is not a coordinator's.
    """
    home = Home(folder.resolve())
    addresses = home.addresses
    host, port = addresses.host, addresses.port
    authority = home.authority.certificate_file
    for name in _PROGRAMS:
        yield examine(name, partial(_program, name))
    yield examine("room", lambda: check_room(home.root))
    yield examine("proxy", lambda: describe_route(host, home.addresses.port))
    yield examine(
        "authority", lambda: check_certificate(authority, authority, renew=_RENEW_AUTHORITY)
    )
    for name, path in (
        ("certificate", home.server / "server.crt"),
        ("SuperLink's certificate", home.superlink / "superlink.crt"),
    ):
        yield examine(name, partial(check_certificate, path, authority, renew=_RENEW_OWN))
    yield examine(
        "revocations",
        lambda: check_revocations(home.authority.revocation_file, renew=_RENEW_OWN),
    )
    for path in home.secrets:
        yield examine(path.name, partial(check_secret, path))
    yield from _sites(home)
    yield examine("audit log", lambda: check_audit_log(home.audit))
    yield examine("SuperLink's state", lambda: _state(home))
    for path in sorted(home.studies.glob("*/study.toml")):
        yield examine(f"study {path.parent.name}", partial(_study, path))
    yield examine("versions", _versions)
    yield from _service(home, host, port)


def _sites(home: Home) -> Iterator[Finding]:
    finding = examine("sites", lambda: f"Certificates issued: {len(home.authority.issued())}.")
    yield finding
    if finding.state == "ok":
        certificates = home.authority.issued()
        valid = {one.site for one in certificates if not one.revoked}
        for name in sorted({one.site for one in certificates}):
            yield examine(f"site {name}", partial(_site, home, name, revoked=name not in valid))


def _site(home: Home, name: str, *, revoked: bool) -> str:
    if revoked:
        raise NotApplicableError(
            "It is revoked and cannot connect.",
            hint="To come back, it runs `fedscan site new-keys` and is enrolled with its new "
            "request.",
        )
    certificate = home.sites / name / "client.crt"
    return check_certificate(certificate, home.authority.certificate_file, renew=_RENEW_SITE)


def _service(home: Home, host: str, port: int) -> Iterator[Finding]:
    """Each step only where the one before it succeeded."""

    def encrypted() -> str:
        context = ssl.create_default_context(cafile=str(home.authority.certificate_file))
        status = ask(host, port, context, "/").status
        # Only members may ask; that this one is turned away as no member is how it should be.
        if status != 400:
            raise FederationError(
                f"{host}:{port} answers a caller without certificate (status {status}).",
                hint="Something else listens there, or the proxy's configuration was changed.",
            )
        return f"{host}:{port} has the right certificate and turns strangers away."

    yield from examine_in_turn(
        (
            ("name", lambda: resolve(host, port)),
            ("service", lambda: _running(home)),
            ("registrations", lambda: _refused(home)),
            ("port", lambda: reach(host, port)),
            ("TLS", encrypted),
        ),
        ends=("warning", "problem"),
        regardless="registrations",
    )


def _program(name: str) -> str:
    return f"{find_program(name)} is installed."


def _running(home: Home) -> str:
    if not is_running(home.run):
        raise DoubtError(
            "The coordinator is not running.", hint="`fedscan coordinator start` starts it."
        )
    return "The coordinator is running."


def _refused(home: Home) -> str:
    refusals = read_status(home).get("refused", {})
    if refusals:
        raise FederationError(
            "; ".join(f"{what}: {message}" for what, message in sorted(refusals.items())),
            hint="Everything else goes on. A site whose keys are refused runs "
            "`fedscan site new-keys` and enrols again.",
        )
    return "The SuperLink has taken every site and every study."


def _state(home: Home) -> str:
    path = home.superlink / "state.db"
    if not path.exists():
        raise NotApplicableError("The SuperLink has not run yet.")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        result = str(error)
    if result != "ok":
        raise FederationError(
            "The SuperLink's state.db is damaged.",
            hint="Stop the coordinator and move the file away: sites register anew, and studies "
            "go on from their checkpoints with `fedscan coordinator resume`.",
        )
    return "The SuperLink's state is whole."


def _study(path: Path) -> str:
    study = load_study(path, [])
    return f"study.toml is valid; {counted(study.federation.rounds, 'round')}."


def _versions() -> str:
    versions = installed_versions()
    missing = [name for name, value in versions.items() if value == "missing"]
    if missing:
        raise ConfigurationError(
            f"{', '.join(missing)} is not installed.", hint="Install fedscan again."
        )
    return f"{', '.join(f'{name} {value}' for name, value in versions.items())}."
