"""Learning rate and clip norm fit the base; what was trained moved, and opens again as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fedscan.cli.main import app
from fedscan.config.study import Study, load_study
from fedscan.errors import ConfigurationError, ModelError
from fedscan.model.integrity.movement import probe, require_same, share_moved
from fedscan.model.storage import load_generator, save_generator
from fedscan.server.terms import site_terms
from fedscan.simulation.machine.calibration import LARGEST_STEP, calibrate
from tiny_stable_diffusion import write_stable_diffusion
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "stable-diffusion"
    write_stable_diffusion(folder)
    return folder


def test_a_step_moves_the_weights_by_no_more_than_one_per_cent(wide: Path, tmp_path: Path) -> None:
    out = tmp_path / "study.toml"
    words = ["calibrate", "--set", f"generator.base={wide}", "--set", "data.image_size=64"]
    result = CliRunner().invoke(app, [*words, "--patients", "4", "--out", str(out), "--json"])
    found, study = json.loads(result.stdout), load_study(out)
    assert found["step_before"] > 3 * LARGEST_STEP
    assert LARGEST_STEP / 3 < found["step"] <= LARGEST_STEP
    assert study.local.learning_rate == found["learning_rate"] < load_study().local.learning_rate
    assert found["norms"][0] <= study.privacy.clip_norm <= found["norms"][1]
    assert study.trainable.lora_start == "by_width"
    assert json.loads(site_terms(study)["trainable"])["lora_start"] == "by_width"


def test_a_study_without_the_new_settings_keeps_its_terms() -> None:
    terms = json.loads(site_terms(load_study())["trainable"])
    assert set(terms) == {"subset", "lora_rank"}


def test_only_adam_is_calibrated(make_study: Callable[..., Study]) -> None:
    with pytest.raises(ConfigurationError, match="'sgd', which is not calibrated"):
        calibrate(make_study("local.optimizer=sgd"))


def test_movement_is_told_and_rounding_is_none(wide: Path, tmp_path: Path) -> None:
    generator = load_generator(wide)
    save_generator(generator, tmp_path / "same", half_precision=True)
    assert share_moved(wide, tmp_path / "same") == 0
    with torch.no_grad():
        for name, value in generator.unet.named_parameters():
            if ".attn" in name and name.endswith("to_q.weight"):
                value.mul_(1.1)
    save_generator(generator, tmp_path / "moved")
    assert share_moved(wide, tmp_path / "moved") == pytest.approx(0.1, rel=0.01)


def test_what_opens_otherwise_than_it_was_is_refused(wide: Path, tmp_path: Path) -> None:
    generator = load_generator(wide)
    expected = probe(generator)
    save_generator(generator, tmp_path / "half", half_precision=True)
    require_same(expected, load_generator(tmp_path / "half"), torch.float16)
    with torch.no_grad():
        generator.unet.conv_out.weight.mul_(1.2)
    save_generator(generator, tmp_path / "other")
    with pytest.raises(ModelError, match="draws other images than the trained one"):
        require_same(expected, load_generator(tmp_path / "other"), torch.float32)
