"""Making a coordinator's folder: authority, certificates, keys and secrets."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ...common.audit.log import AuditLog
from ...common.files import write_atomically
from ...config.study import load_study, study_to_toml
from ...errors import ConfigurationError
from ...federation.pki.authority import Authority
from ...federation.pki.certificates import days_left, load_certificate
from ...federation.pki.keys import fingerprint, new_key, read_private_key, write_private_key
from .home import Addresses, Home, require_addresses
from .record import write_record_key

#: Certificates of the coordinator's own are made anew when fewer days are left.
_RENEWED_AT_DAYS = 30.0

SECRET = "superexec.secret"


def create_home(root: Path, addresses: Addresses) -> Home:
    """Make a coordinator's folder, with a study file to edit; only its owner can read it.

    Args:
        root: A new or an empty folder.
        addresses: Where the coordinator will be reached.

    Raises:
        ConfigurationError: If the folder holds anything, or an address cannot be one.
    """
    require_addresses(addresses)
    if root.exists() and any(root.iterdir()):
        raise ConfigurationError(
            f"{root} is not empty.", hint="Choose a new folder: keys are never written over."
        )
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)
    home = Home(root.resolve())
    Authority.create(home.root / "ca", addresses.name)
    write_record_key(home.record_key)
    make_secret(home)
    for folder in (home.sites, home.studies, home.logs, home.proxy):
        folder.mkdir()
    write_atomically(home.study, study_to_toml(load_study()).encode())
    # Last, so that a folder that a crash left half made is not taken for a coordinator's.
    home.write_addresses(addresses)
    renew_certificates(home)
    AuditLog(home.audit).append(
        "coordinator-created",
        name=addresses.name,
        address=addresses.public,
        authority=fingerprint(home.authority.certificate_file.read_bytes()),
    )
    return home


def make_secret(home: Home) -> None:
    """Make the secret between SuperLink and SuperExec where it is missing, as after a restore."""
    home.run.mkdir(mode=0o700, exist_ok=True)
    secret = home.run / SECRET
    if not secret.exists():
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(32).encode())


def renew_certificates(home: Home) -> list[str]:
    """Issue the coordinator's own certificates where they are missing or about to expire.

    Their keys are made where they are missing, at first and after a restore: sites trust the
    authority, not the key.

    Returns:
        The names of those that were issued.
    """
    addresses = home.addresses
    names = []
    for folder, name, hosts in (
        (home.server, "server", [addresses.host]),
        (home.superlink, "superlink", ["localhost", "127.0.0.1"]),
    ):
        path, key_file = folder / f"{name}.crt", folder / f"{name}.key"
        if not key_file.exists():
            write_private_key(key_file, new_key())
        elif path.exists() and days_left(load_certificate(path)) > _RENEWED_AT_DAYS:
            continue
        key = read_private_key(key_file)
        write_atomically(path, home.authority.issue_server(hosts, key.public_key()))
        names.append(name)
    return names
