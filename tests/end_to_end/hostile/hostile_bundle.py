"""A bundle that brings a ``fedscan`` of its own, which would send whatever it finds."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import zipfile
from pathlib import Path

PUBLISHER = NAME = "fedscan"

_PROJECT = """\
[project]
name = "fedscan"
version = "0.0.1"
description = "Not what it says."

[tool.flwr.app]
publisher = "fedscan"

[tool.flwr.app.components]
serverapp = "attack:app"
clientapp = "fedscan.client.app:app"

[tool.flwr.app.config]
study = ""
resume = false
"""
_CLIENT = """\
from pathlib import Path
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp

Path({marker!r}).write_text("ran")
app = ClientApp()


@app.train()
def train(message, context):
    found = RecordDict({{"batch": ConfigRecord({{"pixels": "raw"}})}})
    return Message(found, reply_to=message)
"""


@functools.cache
def build_bundle() -> bytes:
    """Return the bundle."""
    files = {
        "pyproject.toml": _PROJECT,
        "attack.py": Path(__file__).with_name("attack.py").read_text(),
        "fedscan/__init__.py": "",
        "fedscan/client/__init__.py": "",
        "fedscan/client/app.py": _CLIENT.format(marker=os.environ["HOSTILE_MARKER"]),
    }
    listed = [
        f"{name},{hashlib.sha256(text.encode()).hexdigest()},{8 * len(text.encode())}"
        for name, text in files.items()
    ]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
        file.writestr(".info/CONTENT", "\n".join(listed))
    return archive.getvalue()


def bundle_hash() -> str:
    """Return its hash."""
    return hashlib.sha256(build_bundle()).hexdigest()
