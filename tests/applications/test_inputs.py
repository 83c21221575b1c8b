"""What a generator has no input for is refused, or said, and never silently left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fedscan.applications.enhance import EnhanceRequest, enhance
from fedscan.applications.generate import GenerateRequest, generate
from fedscan.applications.generator import LoadedGenerator, load_generator
from fedscan.applications.volume import VolumeRequest, volume
from fedscan.errors import ModelError
from fedscan.model.conditions import spatial_conditions
from tiny_stable_diffusion import write_stable_diffusion

ASKED = {"prompts": ["axial CT of the head"], "count": 1, "steps": 1}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> LoadedGenerator:
    folder = tmp_path_factory.mktemp("base") / "stable-diffusion"
    write_stable_diffusion(folder)
    return load_generator(folder)


def test_a_position_and_conditions_are_refused(base: LoadedGenerator) -> None:
    edges = spatial_conditions((64, 64), edges=np.ones((64, 64), np.float32))
    for condition, sentence in (
        ({"position": 0.2}, r"hears no slice position \(0.2 is given\)"),
        ({"spatial": edges}, "hears no mask, edges or partial image"),
        ({"mask": Path("labels.png")}, r"partial image \(mask is given\)"),
    ):
        with pytest.raises(ModelError, match=sentence):
            generate(base, GenerateRequest(**ASKED, **condition))


def test_wanted_all_the_same_they_are_said_not_to_be_honoured(base: LoadedGenerator) -> None:
    request = GenerateRequest(**ASKED, position=0.2, anyway=True)
    plain = generate(base, GenerateRequest(**ASKED, anyway=True))
    np.testing.assert_array_equal(generate(base, request).images, plain.images)
    assert "Not honoured: This generator hears no slice position (0.2 is given)." in (
        request.notes(base)
    )


def test_a_volume_without_positions_is_refused(base: LoadedGenerator) -> None:
    request = VolumeRequest(prompt="axial CT of the head", slices=2, steps=1)
    with pytest.raises(ModelError, match="all slices would show the same place"):
        volume(base, request)


def test_a_position_is_refused_before_a_scan_is_read(base: LoadedGenerator) -> None:
    with pytest.raises(ModelError, match="hears no slice position"):
        enhance(base, EnhanceRequest(scan=Path("nowhere.png"), position=0.1))
