"""The units, checked by systemd itself."""

from __future__ import annotations

import configparser
import json
import subprocess
import sys
from pathlib import Path

import pytest
from deploy_tools import tool

UNITS = ("fedscan-site", "fedscan-coordinator", "fedscan-receive@")

#: systemd's exposure in tenths, 0 to 100; below 20 it calls a unit OK. What is left is network
#: access, and memory that PyTorch must be able to execute.
MOST_EXPOSURE = 15


def installed(deploy: Path, unit: str, folder: Path) -> Path:
    """Write the unit as it would be after an installation: with a program that exists."""
    text = (deploy / "systemd" / f"{unit}.service").read_text()
    assert "ExecStart=/opt/fedscan/bin/fedscan " in text
    (folder / "environment").write_text((deploy / "systemd" / "environment").read_text())
    path = folder / f"{unit}.service"
    path.write_text(
        text.replace("/opt/fedscan/bin/fedscan", sys.executable).replace(
            "/etc/fedscan/environment", str(folder / "environment")
        )
    )
    return path


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_accepts_the_unit(deploy: Path, unit: str, tmp_path: Path) -> None:
    path = installed(deploy, unit, tmp_path)
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", str(path)], capture_output=True, text=True
    )
    # Other units of this machine may be wrong; only ours are judged.
    own = [line for line in (done.stderr + done.stdout).splitlines() if unit in line]
    assert own == []


@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_exposes_little(deploy: Path, unit: str, tmp_path: Path) -> None:
    path = installed(deploy, unit, tmp_path)
    done = subprocess.run(
        [tool("systemd-analyze"), "security", "--offline=yes", "--no-pager",
         f"--threshold={MOST_EXPOSURE}", str(path)],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_what_the_unit_promises_beyond_systemds_own_list(deploy: Path, unit: str) -> None:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(deploy / "systemd" / f"{unit}.service")
    service = parser["Service"]
    assert service["User"] == "fedscan"
    assert service["Restart"] == "always"
    assert service["LimitCORE"] == "0"
    assert service["UMask"] == "0077"
    assert service["IPAddressDeny"] == "any"
    assert service["EnvironmentFile"] == "/etc/fedscan/environment"
    if unit != "fedscan-coordinator":
        assert service["MemorySwapMax"] == "0"


def test_the_commands_of_the_units_and_images_exist(deploy: Path) -> None:
    from fedscan.cli.main import app
    from typer.testing import CliRunner

    commands = [
        line.split("/fedscan ")[1].split()
        for unit in UNITS
        for line in (deploy / "systemd" / f"{unit}.service").read_text().splitlines()
        if line.startswith("ExecStart=")
    ]
    commands += [
        json.loads(line.removeprefix("CMD "))
        for line in (deploy / "container" / "Containerfile").read_text().splitlines()
        if line.startswith("CMD ")
    ]
    assert len(commands) == 5
    for command in commands:
        assert command[2] == "--home"
        shown = CliRunner().invoke(app, [*command[:2], "--help"], terminal_width=200)
        assert shown.exit_code == 0, shown.output
        assert "--home" in shown.output
