"""What several tests of commands share: a small generator on disk."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder that holds an untrained generator of 32 pixels."""
    from fedscan.model.generator import build_generator
    from fedscan.model.settings import GeneratorSettings
    from fedscan.model.storage import save_generator

    run = tmp_path_factory.mktemp("run")
    save_generator(build_generator(GeneratorSettings(size="tiny"), seed=0), run / "generator")
    return run
