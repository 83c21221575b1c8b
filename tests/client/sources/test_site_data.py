"""``fedscan site add-data``, ``refresh`` and ``receive`` as a steward gives them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.client.steward.data_sets import Registry
from fedscan.client.steward.enrolment import init_site
from fedscan.client.steward.home import SiteHome, SiteSettings
from orthanc import free_port
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from typer.testing import CliRunner, Result


@pytest.fixture
def home(tmp_path: Path) -> Path:
    init_site(tmp_path / "site", SiteSettings(name="north"))
    return tmp_path / "site"


def site(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["site", *words, "--home", str(home)])


def indexed(folder: Path) -> dict[str, object]:
    words = ["index", str(folder), "--json", "--set", "data.burned_in=refuse_marked"]
    return json.loads(CliRunner().invoke(app, words).stdout)


def test_a_data_set_from_a_pacs_is_indexed_as_its_original_folder(pacs, phantoms, home):
    added = site(home, "add-data", "heads", "--dicomweb", pacs.url)
    assert added.exit_code == 0, added.output
    entry = Registry(SiteHome.open(home)).get("heads")
    assert indexed(Path(entry.folder)) == indexed(phantoms)
    pacs.remove("studies", pacs.find("Study")[0])
    refreshed = site(home, "refresh", "heads")
    assert " 0 new or changed" in refreshed.output
    assert " 0 removed" not in refreshed.output
    doctor = CliRunner().invoke(app, ["doctor", "--site", str(home), "--json"])
    found = {one["check"]: one for one in json.loads(doctor.stdout)}
    assert "has studies that match" in found["source of heads"]["message"]
    assert found["data heads"]["state"] == "ok"
    events = [json.loads(line)["event"] for line in (home / "audit.jsonl").read_text().splitlines()]
    assert events[-3:] == ["data-added", "data-refreshed", "data-refreshed"]


def test_what_cannot_be_reached_is_not_added(home):
    url = f"http://localhost:{free_port()}/dicom-web"
    added = site(home, "add-data", "heads", "--dicomweb", url)
    assert added.exit_code == 3
    assert "Nothing listens at localhost" in added.output
    assert Registry(SiteHome.open(home)).data_sets() == {}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--folder", ".", "--dicomweb", "http://pacs"],
        ["--dicomweb", "pacs"],
        ["--dicomweb", "http://pacs", "--query", "StudyDate"],
        ["--receive", "FEDSCAN"],
        ["--receive", "FEDSCAN@host:port", "--sender", "PACS1"],
    ],
)
def test_a_wrong_source_is_a_usage_error(home, words):
    added = site(home, "add-data", "heads", *words)
    assert added.exit_code == 2, added.output
    assert Registry(SiteHome.open(home)).data_sets() == {}


def test_a_receiver_runs_until_it_is_stopped(phantoms, home):
    port = free_port()
    words = ["--receive", f"FEDSCAN@127.0.0.1:{port}", "--sender", "PACS1"]
    assert site(home, "add-data", "films", *words).exit_code == 0
    code = "from fedscan.cli.main import run; run()"
    command = [sys.executable, "-c", code, "site", "receive", "films", "--home", str(home)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    echo = AE(ae_title="PACS1")
    echo.add_requested_context(Verification)
    try:
        for _ in range(3000):
            association = echo.associate("127.0.0.1", port, ae_title="FEDSCAN")
            if association.is_established or process.poll() is not None:
                break
            time.sleep(0.1)
        assert association.send_c_echo().Status == 0
        association.release()
        os.kill(process.pid, signal.SIGTERM)
        _, said = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 0
    assert f"FEDSCAN at 127.0.0.1:{port} receives from PACS1." in said
    assert "Stopped; 0 instances" in said
