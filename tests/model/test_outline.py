"""A generator's size is read without its networks, and is the one that these have."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fedscan.errors import ModelError
from fedscan.model.generator import build_generator
from fedscan.model.outline import read_image_sizes
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import load_generator, save_generator, shipped_base


def test_the_size_is_that_of_the_opened_generator(tmp_path: Path) -> None:
    save_generator(build_generator(GeneratorSettings(size="tiny")), tmp_path)
    for folder in (tmp_path, shipped_base()):
        assert read_image_sizes(folder) == (load_generator(folder).image_size,)


def test_a_file_that_is_cut_short_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(shipped_base(), folder)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ModelError, match="cannot be read"):
        read_image_sizes(folder)
    with pytest.raises(ModelError, match=r"no model_index\.json"):
        read_image_sizes(tmp_path)
