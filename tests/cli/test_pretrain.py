"""``fedscan pretrain``: a base from made-up bodies, stage by stage."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.model.sampling import sample
from fedscan.model.storage import load_generator
from tiny_generators import weight_digests
from typer.testing import CliRunner

QUICK = ("--size", "tiny", "--examples", "24", "--denoiser-images", "128")


def pretrain(out: Path, *words: object):
    return CliRunner().invoke(app, ["pretrain", str(out), *QUICK, *map(str, words)])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("base") / "out"
    result = pretrain(out, "--autoencoder-images", 64)
    assert result.exit_code == 0, result.output
    assert "The base is in" in result.output
    return out


def test_the_base_makes_images_and_says_what_it_is_from(base):
    images = sample(load_generator(base / "generator"), ["chest X-ray"], steps=2, seed=0)
    assert images.shape[-2:] == (32, 32)
    card = json.loads((base / "generator" / "fedscan.json").read_text())
    assert card["name"] == "fedscan base, 32 pixels"
    assert "no privacy was spent" in card["data"]
    assert card["images"] == {"phantoms": 24}
    assert card["training"]["denoiser"] == "128 images"
    assert "No scan of any person" in (base / "generator" / "README.md").read_text()


def test_finished_stages_are_kept_and_another_plan_is_refused(base):
    kept = {
        path: path.read_bytes() for path in (base / "examples.npz", *base.glob("autoencoder/*"))
    }
    again = pretrain(base, "--autoencoder-images", 64)
    assert again.exit_code == 0, again.output
    assert {path: path.read_bytes() for path in kept} == kept
    other = pretrain(base, "--autoencoder-images", 64, "--seed", 5)
    assert other.exit_code == 2
    assert "begun with another value of seed" in " ".join(other.output.split())


def test_a_plan_from_before_there_were_two_sizes_goes_on(base):
    plan = base / "plan.json"
    values = json.loads(plan.read_text())
    assert values.pop("doubled") is False
    plan.write_text(json.dumps(values))
    assert pretrain(base, "--autoencoder-images", 64).exit_code == 0
    other = pretrain(base, "--autoencoder-images", 64, "--doubled")
    assert other.exit_code == 2
    assert "begun with another value of doubled" in " ".join(other.output.split())


def test_an_earlier_base_is_trained_further(base, tmp_path):
    words = ("--autoencoder-images", 0, "--seed", 1)
    nothing = pretrain(tmp_path / "none", *words)
    assert nothing.exit_code == 2
    assert "autoencoder" in nothing.output
    result = pretrain(tmp_path / "longer", *words, "--start", base / "generator")
    assert result.exit_code == 0, result.output
    before, after = (
        weight_digests(base / "generator"),
        weight_digests(tmp_path / "longer" / "generator"),
    )
    assert before["vae"] == after["vae"]
    assert before["unet"] != after["unet"]


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
    words = (*QUICK, "--start", str(base / "generator"))
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
    assert (
        weight_digests(tmp_path / "out" / "generator")["unet"]
        != weight_digests(base / "generator")["unet"]
    )
