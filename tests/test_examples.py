"""The examples run, at tiny size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from fedscan.model.generator import build_generator
    from fedscan.model.settings import GeneratorSettings
    from fedscan.model.storage import save_generator

    folder = tmp_path_factory.mktemp("run")
    save_generator(build_generator(GeneratorSettings(size="tiny"), seed=0), folder / "generator")
    return folder


@pytest.mark.parametrize(("name", "said"), [("sample_with_masks.py", "MONAI (1, 1, 32, 32)")])
def test_examples_run(name, said, run):
    words = [sys.executable, str(EXAMPLES / name), str(run)]
    result = subprocess.run(words, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert said in result.stdout
