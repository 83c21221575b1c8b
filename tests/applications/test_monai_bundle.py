"""A bundle that MONAI itself loads, and draws the generator's images from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fedscan.applications.generate import GenerateRequest, generate
from fedscan.applications.generator import load_generator
from fedscan.applications.monai_bundle import write_monai_bundle
from fedscan.errors import DataError
from monai.bundle import ConfigWorkflow
from tiny_generators import save_tiny_generator
from torch import nn


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_generator(tmp_path_factory.mktemp("generator"))


def test_monai_runs_it_and_draws_the_generators_images(generator: Path, tmp_path: Path) -> None:
    bundle = write_monai_bundle(generator, tmp_path / "bundle")
    workflow = ConfigWorkflow(
        config_file=str(bundle / "configs" / "inference.json"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        logging_file=False,
        workflow_type=None,
        bundle_root=str(bundle),
        count=2,
        steps=1,
    )
    workflow.initialize()
    assert isinstance(workflow.parser.get_parsed_content("network_def"), nn.Module)
    workflow.run()
    workflow.finalize()
    request = GenerateRequest(prompts=["axial CT of the head"], count=2, steps=1)
    expected = generate(load_generator(generator), request).images
    drawn = workflow.parser.get_parsed_content("images").images
    np.testing.assert_array_equal(drawn, expected)
    names = {path.name for path in (bundle / "output").glob("*.png")}
    assert names == {"00-000.png", "00-001.png", "contact-sheet.png"}


def test_a_folder_with_something_in_it_is_left_alone(generator: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty"):
        write_monai_bundle(generator, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
