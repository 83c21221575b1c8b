"""This machine: room on its disks, proxies of its environment, versions of what is installed."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ... import __version__
from ...errors import FederationError, FedscanError
from .finding import DoubtError

_LEAST_FREE, _LITTLE_FREE = 1 << 30, 10 << 30
_LIBRARIES = ("flwr", "torch")

#: Where a coordinator's proxy tells its members which versions it has.
VERSIONS_PATH = "/v1/fleet/versions"


def check_room(folder: Path) -> str:
    """Check that there is room on a folder's disk.

    Raises:
        DoubtError: If there are less than 10 GiB.
        FedscanError: If there is less than 1 GiB, or the folder cannot be written to.
    """
    free = shutil.disk_usage(folder).free
    room = f"{free / 2**30:.1f} GiB are free on the disk of {folder}"
    hint = "Make room: without it neither ledger nor audit log can be written, and nothing runs."
    if not os.access(folder, os.W_OK):
        raise FedscanError(
            f"This user cannot write to {folder}.", hint="Run as the user that fedscan runs as."
        )
    if free < _LEAST_FREE:
        raise FedscanError(f"Only {room}.", hint=hint)
    if free < _LITTLE_FREE:
        raise DoubtError(f"Only {room}.", hint=hint)
    return f"{room}."


def installed_versions() -> dict[str, str]:
    """Versions of fedscan, of the libraries that both sides must agree on, and of Python."""
    versions = {"fedscan": __version__}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "missing"
    return {**versions, "python": platform.python_version()}


def compare_versions(own: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Compare the versions of this side with the other's.

    Raises:
        DoubtError: If they differ in what does not stop a study.
        FederationError: If the two cannot work together.
    """
    names = [name for name in own if name in theirs and own[name] != theirs[name]]
    different = ", ".join(f"{name} {own[name]} here and {theirs[name]} there" for name in names)
    versions = ", ".join(f"{name} {value}" for name, value in own.items() if name != "bundle")
    if "fedscan" in names or "flwr" in names or "bundle" in names:
        raise FederationError(
            f"The two sides have different versions: {_short(different)}.",
            hint="Install the same fedscan on both; a site runs only the app bundle that its own "
            "installation builds.",
        )
    if names:
        raise DoubtError(
            f"The two sides have different versions: {different}.",
            hint="They work together; results are not comparable to the last bit.",
        )
    return f"Both sides have {versions}."


def _short(text: str) -> str:
    """Shorten the hexadecimal digests in a text."""
    return " ".join(word[:12] if len(word) == 64 else word for word in text.split(" "))
