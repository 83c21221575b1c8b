"""How the command line behaves as a whole: help, exit statuses, errors, speed of start."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from fedscan.cli import group
from fedscan.cli.main import app
from fedscan.errors import DataError
from typer.testing import CliRunner

runner = CliRunner()


def fedscan(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from fedscan.cli.main import run; run()", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **variables}, check=False
    )


def test_help_names_every_command_and_the_exit_statuses():
    result = runner.invoke(app, ["--help"], terminal_width=100)
    assert result.exit_code == 0
    for command in app.registered_commands:
        assert f"{command.name} " in result.output
    assert "Exit status" in result.output


@pytest.mark.parametrize("command", [command.name for command in app.registered_commands])
def test_the_help_of_every_command_has_an_example(command):
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"fedscan {command}" in result.output.partition("Example")[2]


def test_an_error_is_a_message_a_hint_and_its_status():
    result = fedscan("config", "--set", "privacy.epsilon=-1")
    assert result.returncode == 2
    assert "Error: " in result.stderr
    assert "privacy.epsilon = -1: allowed is number, above 0" in result.stderr
    assert "Hint: " in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_debug_shows_where_an_error_came_from():
    result = fedscan("--debug", "config", "--set", "privacy.epsilon=-1")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ConfigurationError" in result.stderr


def test_usage_errors_end_with_two():
    assert fedscan("config", "--no-such-option").returncode == 2
    assert fedscan("no-such-command").returncode == 2


def test_brackets_in_a_message_are_printed_as_they_are(capsys):
    group.show_error(DataError("[red]a[/red] [bold]", hint="[/x]"))
    assert capsys.readouterr().err == "Error: [red]a[/red] [bold]\nHint: [/x]\n"


def test_ctrl_c_ends_with_130(monkeypatch):
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fedscan.config.study.load_study", interrupted)
    result = runner.invoke(app, ["config"])
    assert result.exit_code == 130
    assert "Interrupted" in result.output


def test_what_the_operating_system_refuses_is_an_error_without_traceback(monkeypatch):
    def refused(*args: object) -> None:
        raise PermissionError(13, "Permission denied", "study.toml")

    monkeypatch.setattr("fedscan.config.study.load_study", refused)
    result = runner.invoke(app, ["config"])
    assert result.exit_code == 1
    assert "Error: study.toml: Permission denied" in result.output


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("fedscan.cli.main", "torch flwr numpy pydicom diffusers monai PIL"),
        (
            "fedscan.cli.main, fedscan.privacy.accounting, fedscan.privacy.ledger.view",
            "torch opacus diffusers flwr",
        ),
    ],
    ids=["help", "ledger"],
)
def test_commands_that_compute_little_need_no_heavy_library(modules, heavy):
    code = f"import sys, {modules}\nprint(*sorted(set('{heavy}'.split()) & sys.modules.keys()))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""


def test_no_process_phones_home_by_default():
    code = (
        "import os\nfrom typer.testing import CliRunner\nfrom fedscan.cli.main import app\n"
        "CliRunner().invoke(app, ['config'])\n"
        "print(os.environ['FLWR_TELEMETRY_ENABLED'], os.environ['HF_HUB_OFFLINE'])"
    )
    bare = {k: v for k, v in os.environ.items() if not k.startswith(("FLWR", "HF_"))}
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**bare, "HF_HUB_OFFLINE": "0"},
    )
    assert result.stdout.split() == ["0", "0"], "set by default; what the user set stays"
