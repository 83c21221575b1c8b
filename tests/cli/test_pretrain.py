"""``fedscan pretrain``: a base from made-up bodies, stage by stage."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from fedscan.cli.main import app
from fedscan.model.architecture import ARCHITECTURES
from fedscan.model.generator import build_generator
from fedscan.model.pretraining.run import take_up
from fedscan.model.sampling import sample
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import load_generator
from typer.testing import CliRunner

QUICK = ("--size", "tiny", "--examples", "24", "--denoiser-minutes", "0.01")


def pretrain(out: Path, *words: object):
    return CliRunner().invoke(app, ["pretrain", str(out), *QUICK, *map(str, words)])


def digests(folder: Path) -> dict[str, str]:
    return {
        path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.safetensors")
    }


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("base") / "out"
    result = pretrain(out, "--autoencoder-minutes", 0.01)
    assert result.exit_code == 0, result.output
    assert "The base is in" in result.output
    return out


def test_the_base_makes_images_and_says_what_it_is_from(base):
    images = sample(load_generator(base / "generator"), ["chest X-ray"], steps=2, seed=0)
    assert images.shape[-2:] == (32, 32)
    card = json.loads((base / "generator" / "fedscan.json").read_text())
    assert "no privacy was spent" in card["data"]
    assert "--examples 24 --autoencoder-minutes 0.01" in card["training"]["command"]
    assert "No scan of any person" in (base / "generator" / "README.md").read_text()


def test_finished_stages_are_kept_and_another_plan_is_refused(base):
    kept = {
        path: path.read_bytes() for path in (base / "examples.npz", *base.glob("autoencoder/*"))
    }
    again = pretrain(base, "--autoencoder-minutes", 0.01)
    assert again.exit_code == 0, again.output
    assert {path: path.read_bytes() for path in kept} == kept
    other = pretrain(base, "--autoencoder-minutes", 0.01, "--seed", 5)
    assert other.exit_code == 2
    assert "begun with another value of seed" in " ".join(other.output.split())


def test_an_earlier_base_is_trained_further(base, tmp_path):
    words = ("--autoencoder-minutes", 0, "--seed", 1)
    nothing = pretrain(tmp_path / "none", *words)
    assert nothing.exit_code == 2
    assert "autoencoder" in nothing.output
    result = pretrain(tmp_path / "longer", *words, "--start", base / "generator")
    assert result.exit_code == 0, result.output
    before, after = digests(base / "generator"), digests(tmp_path / "longer" / "generator")
    assert before["vae"] == after["vae"]
    assert before["unet"] != after["unet"]


def test_a_base_with_a_finer_level_takes_up_what_the_coarser_levels_of_an_earlier_one_know():
    plain = replace(ARCHITECTURES["tiny"], unet_channels=(16, 16, 32), plain_levels=1)
    coarse = build_generator(GeneratorSettings(size="tiny"), seed=1)
    with patch.dict(ARCHITECTURES, tiny=plain):
        fine = build_generator(GeneratorSettings(size="tiny"), seed=2)
    before = {name: value.clone() for name, value in fine.state_dict().items()}
    assert take_up(fine, coarse)  # the autoencoder is the same
    after, earlier = fine.state_dict(), coarse.state_dict()
    for name, level in (
        ("unet.down_blocks.1.resnets.0.conv1.weight", "unet.down_blocks.0.resnets.0.conv1.weight"),
        ("unet.up_blocks.0.resnets.0.conv2.weight", "unet.up_blocks.0.resnets.0.conv2.weight"),
        ("adapter.adapter.body.2.in_conv.weight", "adapter.adapter.body.1.in_conv.weight"),
    ):
        torch.testing.assert_close(after[name], earlier[level])
    new = "unet.down_blocks.0.resnets.0.conv1.weight"
    torch.testing.assert_close(after[new], before[new])


def test_processes_that_train_together_end_with_one_base(base, tmp_path):
    """Every process must hold the same weights at the end, or their gradients were not shared."""
    script = tmp_path / "each.py"
    script.write_text(
        "import os, pathlib, sys\n"
        "from fedscan.cli.main import app\n"
        "from fedscan.model.pretraining import run\n"
        "train = run.train_denoiser\n"
        "def and_tell(generator, *args, **options):\n"
        "    train(generator, *args, **options)\n"
        "    weights = sum(p.double().abs().sum() for p in generator.unet.parameters())\n"
        "    name = 'weights-' + os.environ['RANK']\n"
        "    pathlib.Path(sys.argv[0]).with_name(name).write_text(repr(float(weights)))\n"
        "run.train_denoiser = and_tell\n"
        "app(sys.argv[1:])\n"
    )
    torchrun = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--", str(script))
    words = (*QUICK, "--autoencoder-minutes", "0.01", "--start", str(base / "generator"))
    ran = subprocess.run(
        (sys.executable, "-m", *torchrun, "pretrain", str(tmp_path / "out"), *words),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    first, second = ((tmp_path / f"weights-{rank}").read_text() for rank in (0, 1))
    assert first == second
    assert digests(tmp_path / "out" / "generator")["unet"] != digests(base / "generator")["unet"]
