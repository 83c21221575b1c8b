"""What several tests of commands share: a small generator on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_generators import save_tiny_generator
from typer.testing import CliRunner


@pytest.fixture(scope="session")
def tiny_generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder that holds an untrained generator of 32 pixels."""
    run = tmp_path_factory.mktemp("run")
    save_tiny_generator(run / "generator")
    return run


@pytest.fixture(scope="session")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two phantom hospitals of two patients and one, as the command writes them."""
    from fedscan.cli.main import app

    out = tmp_path_factory.mktemp("data") / "hospitals"
    words = ["phantoms", str(out), "--patients", "2,1", "--slices", "3", "--contrasts", "T1,CT"]
    words += ["--matrix", "64"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "hospital-b" in result.output
    return out
