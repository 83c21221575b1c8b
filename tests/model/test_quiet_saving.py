"""Saving a generator says nothing of libraries, and opens no other pipeline than its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tiny_generators import save_tiny_generator
from tiny_stable_diffusion import write_stable_diffusion

_SAVE = """
import sys
from pathlib import Path
from fedscan.model.storage import load_generator, save_generator

own, other, target = map(Path, sys.argv[1:])
save_generator(load_generator(own), target / "own")
assert not [name for name in sys.modules if name.startswith("diffusers.pipelines.stable_diffusion")]
save_generator(load_generator(other), target / "other")
"""


def test_nothing_is_said_of_image_processors_that_nobody_uses(tmp_path: Path) -> None:
    own = save_tiny_generator(tmp_path / "own")
    write_stable_diffusion(tmp_path / "other")
    done = subprocess.run(
        [sys.executable, "-c", _SAVE, own, tmp_path / "other", tmp_path / "saved"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "torchvision" not in done.stdout + done.stderr
    assert (tmp_path / "saved" / "other" / "model_index.json").exists()
