"""What a saved generator's folder must be, what names it, and who can open it how."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler
from fedscan.errors import ConfigurationError, ModelError
from fedscan.model.generator import Generator, build_generator
from fedscan.model.pipeline import FedscanPipeline
from fedscan.model.sampling import sample
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import (
    generator_digest,
    load_generator,
    save_generator,
    weights_digest,
)
from safetensors.torch import load_file, save_file

CAPTION = "axial CT slice of the head"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    save_generator(build_generator(GeneratorSettings(size="tiny"), seed=3), folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "generator")


def change(file: Path, key: str, value: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("scheduler/scheduler_config.json", "prediction_type", "epsilon"),
        ("vae/config.json", "scaling_factor", 0.5),
        ("vae/config.json", "latents_std", [1.0, 2.0, 1.0, 1.0]),
        ("caption_encoder/config.json", "length", 12),
        ("unet/config.json", "norm_eps", 0.1),
    ],
)
def test_another_configuration_is_another_generator(
    folder: Path, file: str, key: str, value: object
) -> None:
    before, weights = generator_digest(folder), weights_digest(folder)
    change(folder / file, key, value)
    assert generator_digest(folder) != before
    assert weights_digest(folder) == weights


def test_cards_versions_and_layout_do_not_make_another_generator(folder: Path) -> None:
    before = generator_digest(folder)
    (folder / "README.md").write_text("another card")
    (folder / "fedscan.json").write_text("{}")
    (folder / "notes.txt").write_text("mine")
    (folder / "unet" / "extra.py").write_text("")
    for file in folder.rglob("*config.json"):
        change(file, "_diffusers_version", "0.1")
    assert generator_digest(folder) == before


def test_other_weights_are_another_generator(folder: Path) -> None:
    before = generator_digest(folder)
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert generator_digest(folder) != before


def test_a_missing_tensor_is_named(folder: Path) -> None:
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    name = next(iter(weights))
    del weights[name]
    save_file(weights, file)
    with pytest.raises(ModelError, match=f"not all weights of the network: {name}"):
        load_generator(folder)


def test_weights_that_are_pickles_are_refused(folder: Path) -> None:
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(file), file.with_suffix(".bin"))
    assert load_generator(folder).image_size == 32  # beside safetensors it is never opened
    file.unlink()
    with pytest.raises(ModelError, match=r"diffusion_pytorch_model\.bin keeps weights as a pickle"):
        load_generator(folder)


def test_weights_that_are_not_finite_are_neither_saved_nor_opened(folder: Path) -> None:
    generator = load_generator(folder)
    before = generator_digest(folder)
    with torch.no_grad():
        next(generator.unet.parameters()).view(-1)[0] = torch.nan
    with pytest.raises(ModelError, match="is not saved: it has values that are not finite"):
        save_generator(generator, folder)
    assert generator_digest(folder) == before
    file = folder / "adapter" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    next(iter(weights.values())).view(-1)[0] = torch.inf
    save_file(weights, file)
    with pytest.raises(ModelError, match="not finite in adapter"):
        load_generator(folder)


def test_a_disk_that_takes_no_generator_leaves_the_one_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import SafetensorError

    generator, before = load_generator(folder), generator_digest(folder)
    present = sorted(folder.rglob("*"))

    def full(pipeline: FedscanPipeline, path: Path, **options: object) -> None:
        (path / "unet").mkdir()
        (path / "unet" / "config.json").write_text("{")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(FedscanPipeline, "save_pretrained", full)
    with pytest.raises(ModelError, match="No space left on device"):
        save_generator(generator, folder)
    assert generator_digest(folder) == before
    assert sorted(folder.rglob("*")) == present


def test_whom_the_umask_lets_read_can_read_all_of_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save_generator(build_generator(GeneratorSettings(size="tiny")), tmp_path / "made")
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "made").rglob("*.*")}
    assert modes == {0o640}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_said_to_be_that(folder: Path) -> None:
    (folder / "vae" / "diffusion_pytorch_model.safetensors").chmod(0)
    with pytest.raises(ModelError, match="may not be read"):
        load_generator(folder)


# With diffusers


def test_diffusers_opens_it_by_trust_remote_code_alone(saved: Path) -> None:
    """In a process that has not imported fedscan."""
    code = (
        "import sys; from diffusers import DiffusionPipeline\n"
        "opened = DiffusionPipeline.from_pretrained(sys.argv[1], trust_remote_code=True)\n"
        f"print(opened({CAPTION!r}, num_inference_steps=1).images[0].size)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(saved)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "(32, 32)", done.stderr


@pytest.fixture
def pipeline(saved: Path) -> FedscanPipeline:
    return FedscanPipeline.from_pretrained(saved)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_it_draws_in_half_precision(saved: Path, pipeline: FedscanPipeline, kind: object) -> None:
    half = FedscanPipeline.from_pretrained(saved, dtype=kind)
    assert half.unet.dtype == kind
    found, expected = (
        one(CAPTION, num_inference_steps=2, output_type="np").images for one in (half, pipeline)
    )
    assert np.abs(found - expected).mean() < 0.03


@pytest.mark.parametrize("kind", [DPMSolverMultistepScheduler, EulerDiscreteScheduler])
def test_another_scheduler_is_used(pipeline: FedscanPipeline, kind: type) -> None:
    def draw(steps: int) -> np.ndarray:
        return pipeline(CAPTION, num_inference_steps=steps, output_type="np").images

    usual = draw(3)
    pipeline.scheduler = kind.from_config(pipeline.scheduler.config)
    assert np.abs(draw(3) - usual).max() > 1e-3
    assert np.isfinite(draw(3)).all()


def test_a_whole_number_is_a_position(pipeline: FedscanPipeline) -> None:
    def draw(position: object) -> np.ndarray:
        return pipeline(CAPTION, position=position, num_inference_steps=1, output_type="np").images

    np.testing.assert_array_equal(draw(0), draw(0.0))
    np.testing.assert_array_equal(draw(0), draw([0]))
    with pytest.raises(ValueError, match="2 positions for 1 prompts"):
        draw([0, 1])


def test_tensors_come_out_as_other_pipelines_give_them(pipeline: FedscanPipeline) -> None:
    images = pipeline([CAPTION] * 2, num_inference_steps=1, output_type="pt").images
    assert images.shape == (2, 1, 32, 32)
    assert 0 <= images.min() <= images.max() <= 1
    with pytest.raises(ValueError, match="output_type is 'latent'"):
        pipeline(CAPTION, output_type="latent")


def test_a_prompt_that_is_too_long_is_said_to_be_cut(
    pipeline: FedscanPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline("word " * 90, num_inference_steps=1)
    assert "tokens and is cut: its end is not seen" in caplog.text


# Images that are no images


@pytest.fixture
def diverging(tiny: Generator) -> Generator:
    with torch.no_grad():
        for parameter in tiny.unet.conv_out.parameters():
            parameter.fill_(torch.nan)
    return tiny


def test_images_that_are_not_finite_are_refused(diverging: Generator) -> None:
    with pytest.raises(ModelError, match="values are not finite"):
        sample(diverging, [CAPTION], steps=1)


def test_more_steps_than_the_schedule_has_are_refused(tiny: Generator) -> None:
    with pytest.raises(ConfigurationError, match="1001 steps are more"):
        sample(tiny, [CAPTION], steps=1001)


def test_weights_of_an_opened_generator_lie_as_a_copys_do(saved: Path) -> None:
    # Or its products' last bits would be others than those of its copy.
    generator = load_generator(saved)
    assert not [
        name for name, value in generator.state_dict().items() if value.data_ptr() % 64 != 0
    ]
