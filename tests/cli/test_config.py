"""``fedscan config`` writes what ``--config`` reads."""

from __future__ import annotations

import pytest
from fedscan.cli.main import app
from fedscan.config.reference import reference
from fedscan.config.study import Study, load_study, study_digest
from typer.testing import CliRunner

runner = CliRunner()


def test_what_is_printed_can_be_read_back(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(runner.invoke(app, ["config", "--set", "privacy.epsilon=3"]).stdout)
    assert load_study(file).privacy.epsilon == 3
    again = runner.invoke(app, ["config", "--config", str(file), "--digest"]).stdout
    assert again.strip() == study_digest(load_study(overrides=["privacy.epsilon=3"]))


def test_without_options_it_prints_the_defaults(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(runner.invoke(app, ["config"]).stdout)
    assert load_study(file) == Study()


def test_the_reference_is_printed_on_request():
    assert runner.invoke(app, ["config", "--markdown"]).stdout == reference()


@pytest.mark.parametrize("value", ["9" * 5000, "0x" + "f" * 5000, "[" * 5000, "\udcff", "1.5"])
def test_a_value_that_cannot_be_is_told_without_a_traceback(value):
    result = runner.invoke(app, ["config", "--set", f"seed={value}"])
    assert result.exit_code == 2
    assert "seed" in result.stderr
    assert "Traceback" not in result.stderr
