"""Submit answers at once, and approve says at once how far it is: neither waits for torch."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from fedscan.cli import site_approval
from fedscan.cli.main import app
from fedscan.model.storage import shipped_base
from site_homes import make_home
from typer.testing import CliRunner

HEAVY = "{'torch', 'diffusers', 'transformers', 'opacus'}"


def run(*words: str) -> list[str]:
    """Run a command in a process of its own; return what heavy libraries it imported."""
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom fedscan.cli.main import app\n"
        f"result = CliRunner().invoke(app, {list(words)})\n"
        "assert result.exit_code == 0, result.output\n"
        f"print(*sorted({HEAVY} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def coordinator_home(folder: Path) -> None:
    words = ["coordinator", "init", "--home", str(folder), "--host", "127.0.0.1"]
    assert CliRunner().invoke(app, words).exit_code == 0


def test_submit_and_the_list_of_studies_wait_for_no_network(tmp_path: Path) -> None:
    coordinator_home(tmp_path / "c")
    assert run("coordinator", "submit", "--home", str(tmp_path / "c"), "--set", "name=s") == []
    assert run("site", "init", "north", "--home", str(tmp_path / "n")) == []
    assert run("site", "approve", "--home", str(tmp_path / "n")) == []


def test_approve_tells_its_steps_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home(tmp_path, shipped_base())
    coordinator_home(tmp_path / "c")
    done = CliRunner().invoke(
        app, ["coordinator", "submit", "--home", str(tmp_path / "c"), "--set", "name=s"]
    )
    assert done.exit_code == 0, done.output
    told: list[tuple[str, int, int]] = []

    @contextmanager
    def recording():
        yield lambda what, number, of: told.append((what, number, of))

    monkeypatch.setattr(site_approval, "progress", recording)
    invitation = tmp_path / "c" / "studies" / "s" / "s.invitation.json"
    words = ["site", "approve", str(invitation), "--yes", "--home", str(home.folder)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert [one for one in told if one[0] == "steps"] == [("steps", n, 3) for n in range(4)]
    assert ("files", 8, 8) in told
