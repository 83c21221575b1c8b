"""The app bundle of a study: names of installed apps and not one line of code.

Flower ships a bundle (FAB) from the coordinator to every site and would run whatever code lies in
it. fedscan's bundle holds a single ``pyproject.toml`` that names the two apps, which are imported
from the installed package. Its bytes depend on the release of fedscan alone, so a site builds the
same bundle itself and refuses every other one before it is unpacked.
"""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile

from .. import __version__
from .protocol import PROTOCOL_VERSION

#: Who and what a bundle says it is; Flower makes the name of its folder from it.
PUBLISHER = "fedscan"
NAME = "fedscan"

_MANIFEST = "pyproject.toml"
_CONTENT = ".info/CONTENT"
#: The earliest time that a zip archive can hold.
_TIME = (1980, 1, 1, 0, 0, 0)
_PROJECT = f"""\
[project]
name = "{NAME}"
version = "{__version__}"
description = "Names the apps of the installed fedscan; holds no code."

[tool.fedscan]
protocol = {PROTOCOL_VERSION}

[tool.flwr.app]
publisher = "{PUBLISHER}"

[tool.flwr.app.components]
serverapp = "fedscan.server.coordinator.app:app"
clientapp = "fedscan.client.app:app"

[tool.flwr.app.config]
study = ""
"""


@functools.cache
def build_bundle() -> bytes:
    """Return the bundle: a Flower FAB, the same bytes wherever this release is installed.

    Nothing in it is compressed, because compressed bytes differ between builds of zlib.
    """
    project = _PROJECT.encode()
    content = f"{_MANIFEST},{hashlib.sha256(project).hexdigest()},{8 * len(project)}".encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for name, data in ((_MANIFEST, project), (_CONTENT, content)):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = 3  # otherwise it is that of the machine
            entry.external_attr = 0o644 << 16
            file.writestr(entry, data)
    return archive.getvalue()


@functools.cache
def bundle_hash() -> str:
    """Return the SHA-256 of the bundle, in hex: what a site accepts, and nothing else."""
    return hashlib.sha256(build_bundle()).hexdigest()
