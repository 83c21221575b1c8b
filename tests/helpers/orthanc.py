"""A real PACS for the tests: Orthanc with its DICOMweb plug-in, on loopback, in a folder."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

_PLUGINS = (
    "/usr/share/orthanc/plugins/libOrthancDicomWeb.so",
    "/usr/local/share/orthanc/plugins/libOrthancDicomWeb.so",
)
PROGRAM = shutil.which("Orthanc")
PLUGIN = next((path for path in _PLUGINS if Path(path).exists()), None)


def require_orthanc() -> None:
    if PROGRAM is None or PLUGIN is None:
        pytest.skip("needs Orthanc with its DICOMweb plug-in (Debian: orthanc, orthanc-dicomweb)")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Orthanc:
    """A running instance."""

    root: str
    dicom_port: int
    auth: tuple[str, str] | None = None

    @property
    def url(self) -> str:
        return f"{self.root}/dicom-web"

    def call(self, method: str, path: str, **options: object) -> requests.Response:
        options = {"auth": self.auth, "timeout": 60, **options}
        response = requests.request(method, self.root + path, **options)
        response.raise_for_status()
        return response

    def add(self, *files: Path) -> None:
        for file in files:
            self.call("POST", "/instances", data=file.read_bytes())

    def find(self, level: str, **query: str) -> list[str]:
        body = {"Level": level, "Query": query}
        return self.call("POST", "/tools/find", json=body).json()

    def remove(self, level: str, identifier: str) -> None:
        self.call("DELETE", f"/{level}/{identifier}")


@contextmanager
def orthanc(folder: Path, **settings: object) -> Iterator[Orthanc]:
    """Run Orthanc while the block runs."""
    port, dicom_port = free_port(), free_port()
    users = settings.get("RegisteredUsers")
    configuration = {
        "Name": "fedscan-test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [PLUGIN],
        "HttpPort": port,
        "DicomPort": dicom_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": users is not None,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **settings,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(
            [str(PROGRAM), str(folder / "orthanc.json")], stdout=log, stderr=log
        )
    try:
        pacs = Orthanc(
            root=f"http://localhost:{port}",
            dicom_port=dicom_port,
            auth=next(iter(users.items())) if isinstance(users, dict) else None,
        )
        for _ in range(600):
            if process.poll() is not None:
                raise RuntimeError((folder / "orthanc.log").read_text())
            try:
                pacs.call("GET", "/system")
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield pacs
    finally:
        process.terminate()
        process.wait(60)
