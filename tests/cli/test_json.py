"""Every command that prints results prints them as one JSON document, too, if asked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
from fedscan.cli.main import app
from fedscan.privacy.ledger.ledger import Ledger
from fedscan.privacy.mechanism import SubsampledGaussian
from typer.testing import CliRunner

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
#: Commands without ``--json``, and why.
EXCEPTIONS = {
    "config": "what it prints is TOML, which programs read",
    "coordinator dashboard": "serves a page until it is stopped",
    "coordinator start": "runs until it is stopped",
    "reader-study serve": "serves a page until it is stopped",
    "site page": "serves a page until it is stopped",
    "site receive": "runs until it is stopped",
    "site start": "runs until it is stopped",
    "try": "runs until it is stopped",
}


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def takes_json(command: click.Command) -> bool:
    return any("--json" in parameter.opts for parameter in command.params)


def all_commands() -> dict[str, click.Command]:
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group)
    return dict(commands(group))


def test_every_command_takes_json_or_is_an_exception_with_a_reason():
    without = {name for name, command in all_commands().items() if not takes_json(command)}
    assert without == set(EXCEPTIONS)


def documented() -> dict[str, set[str]]:
    """Return the keys in the page's tables, by command."""
    parts = re.split(r"^## `fedscan ([^`]+)`$", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {
        name: set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def test_the_page_describes_every_command_that_takes_json():
    takes = {name for name, command in all_commands().items() if takes_json(command)}
    assert takes == set(documented())


def document(*words: object) -> object:
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def agrees(command: str, found: object) -> None:
    assert isinstance(found, dict)
    assert set(found) == documented()[command]


def test_keys_of_data_commands_are_as_documented(tmp_path: Path):
    made = document(
        *("phantoms", tmp_path / "made", "--patients", "1,1", "--slices", "3", "--matrix", "64"),
        *("--contrasts", "CT"),
    )
    agrees("phantoms", made)
    agrees("index", document("index", tmp_path / "made" / "hospital-a"))
    folder = tmp_path / "ledger"
    step = SubsampledGaussian(sample_rate=0.1, noise_multiplier=1.0, steps=10)
    with Ledger.open(folder, "ab" * 16, epsilon_ceiling=8, delta=1e-5) as opened:
        opened.reserve("0" * 64, [step], purpose="round 1")
    found = document("ledger", folder)
    assert isinstance(found, dict)
    agrees("ledger", found[str(folder)])


def test_keys_of_a_site_are_as_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = ("--home", tmp_path / "site")
    (tmp_path / "chest").mkdir()
    agrees("site init", document("site", "init", "north", *home))
    added = document("site", "add-data", "chest", "--folder", tmp_path / "chest", *home)
    agrees("site add-data", added)
    agrees("site refresh", document("site", "refresh", "chest", *home))
    agrees("site pause", document("site", "pause", *home))
    status = document("site", "status", *home)
    agrees("site status", status)
    assert status["paused"]
    agrees("site resume", document("site", "resume", *home))
    assert document("site", "approve", *home) == {
        "approved": [],
        "waiting": [],
        "declined": [],
    }
    assert document("site", "ledger", *home) == {"chest": None}
    monkeypatch.setenv("PATH", "/nowhere")  # a browser would print it, which takes seconds
    written = document("site", "evidence", "--out", tmp_path / "evidence", *home)
    agrees("site evidence", written)
    agrees("site verify-evidence", document("site", "verify-evidence", tmp_path / "evidence"))
    audit = document("site", "audit", *home)
    agrees("site audit", audit)
    assert [entry["event"] for entry in audit["entries"]][-2:] == ["resumed", "evidence-written"]
    assert len(audit["entries"]) == audit["length"]
    newest = document("site", "log", "--last", "2", *home)
    agrees("site log", newest)
    assert newest["entries"] == audit["entries"][-2:]


def test_keys_of_a_coordinator_are_as_documented(tmp_path: Path):
    home = ("--home", tmp_path / "coordinator")
    agrees("coordinator init", document("coordinator", "init", "--host", "fl.example.org", *home))
    document("site", "init", "north", "--home", tmp_path / "site")
    request, out = tmp_path / "site" / "request.json", tmp_path / "welcome.json"
    words = ("enrol", "north", "--request", request, "--out", out, "--yes")
    agrees("coordinator enrol", document("coordinator", *words, *home))
    status = document("coordinator", "status", *home)
    agrees("coordinator status", status)
    assert [site["site"] for site in status["sites"]] == ["north"]
    audit = document("coordinator", "audit", *home)
    agrees("coordinator audit", audit)
    agrees("coordinator log", document("coordinator", "log", *home))
    words = ("invite", "--out", tmp_path / "invitation.json")
    agrees("coordinator invite", document("coordinator", *words, *home))
    agrees("coordinator revoke", document("coordinator", "revoke", "north", *home))
    assert document("coordinator", "status", *home)["sites"] == []
    assert document("coordinator", "audit", *home)["entries"] > audit["entries"]


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("index", "no-such-folder"), 3, "data"),
        (("ledger", "no-such-folder"), 5, "ledger"),
        (("site", "status", "--home", "no-such-home"), 2, "configuration"),
    ],
)
def test_an_error_is_one_document_and_the_text_as_ever(words, status, code):
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == status
    error = json.loads(result.stdout)["error"]
    assert (error["status"], error["code"]) == (status, code)
    assert f"Error: {error['message']}" in result.stderr
    assert CliRunner().invoke(app, list(words)).stdout == ""


def test_a_log_that_is_followed_is_a_document_a_line(tmp_path: Path) -> None:
    home = tmp_path / "site"
    document("site", "init", "north", "--home", home)
    program = "from fedscan.cli.main import run; run()"
    words = ["site", "log", "--follow", "--json", "--home", str(home)]
    with subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True
    ) as log:
        assert log.stdout is not None
        try:
            first = json.loads(log.stdout.readline())
            document("site", "pause", "--home", home)
            second = json.loads(log.stdout.readline())
        finally:
            log.terminate()
    assert [first["event"], second["event"]] == ["site-created", "paused"]
    assert set(first) == {"sequence", "time", "event", "facts", "previous"}
