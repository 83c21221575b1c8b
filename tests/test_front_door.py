"""`import fedscan`: light, complete, and the same as the commands."""

from __future__ import annotations

import doctest
import hashlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import fedscan
import numpy as np
import pytest
from fedscan.cli.main import app
from fedscan.imaging.writing.manifest import check_folder
from PIL import Image
from tiny_generators import save_tiny_generator
from typer.testing import CliRunner

PROMPTS = ("axial CT slice of the head", "chest X-ray, pneumonia")
#: Functions that have a doctest, by their public names.
DOCTESTED = (
    "check_folder",
    "enhance",
    "epsilon",
    "evaluate",
    "generate",
    "index_folder",
    "load_generator",
    "load_study",
    "load_translator",
    "mesh",
    "simulate",
    "spatial_conditions",
    "translate",
    "volume",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder that holds an untrained generator of 32 pixels."""
    folder = tmp_path_factory.mktemp("run")
    save_tiny_generator(folder / "generator")
    return folder


@pytest.fixture(scope="module")
def translator(run, tmp_path_factory):
    """A translator to CT that has learnt nothing."""
    from fedscan.applications.translation.regression import build_unet
    from fedscan.applications.translation.translator import Translator, save_translator

    folder = tmp_path_factory.mktemp("translators") / "CT"
    network = fedscan.load_generator(run).network
    save_translator(Translator(generator=network, network=build_unet(), target="CT"), folder)
    return folder


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    """Two hospitals of eight made-up patients each, as DICOM."""
    from fedscan.phantoms.hospital import write_hospitals
    from fedscan.phantoms.settings import PhantomSettings

    folder = tmp_path_factory.mktemp("data") / "hospitals"
    made = PhantomSettings(patients=(8, 8), contrasts=("CT",), slices=3, matrix=64)
    write_hospitals(folder, made)
    return folder


@pytest.fixture(scope="module")
def study(run):
    """A study that takes seconds and starts from the run's generator."""
    settings = (
        f"generator.base={run / 'generator'}",
        "data.image_size=32",
        "federation.rounds=1",
        "federation.min_results=2",
        "local.steps=1",
        "evaluation.samples=16",
        "evaluation.samples_per_class=8",
        "evaluation.classifier_seeds=1",
        "evaluation.classifier_steps=10",
        "evaluation.bootstrap=100",
        "evaluation.steps=1",
    )
    return fedscan.load_study(None, settings)


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    """A label map with a ball of lesion."""
    import nibabel
    from fedscan.model.conditions import LABEL

    ball = sum((axis - 9.5) ** 2 for axis in np.indices((20, 20, 20))) < 25
    path = tmp_path_factory.mktemp("labels") / "labels.nii.gz"
    nibabel.save(nibabel.Nifti1Image((ball * LABEL["lesion"]).astype(np.uint8), np.eye(4)), path)
    return path


@pytest.fixture(scope="module")
def known(run, translator, picture, hospitals, study, labels, tmp_path_factory):
    """What doctests and docs/python.md are given."""
    return {
        "run": run,
        "translator": translator,
        "picture": picture,
        "hospitals": hospitals,
        "study": study,
        "labels": labels,
        "out": tmp_path_factory.mktemp("out"),
    }


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    grey = np.random.default_rng(0).normal(128, 20, (32, 32)).clip(0, 255)
    path = tmp_path_factory.mktemp("picture") / "film.png"
    Image.fromarray(grey.astype(np.uint8)).save(path)
    return path


def test_the_bare_import_brings_neither_torch_nor_flower():
    code = "import sys, fedscan; dir(fedscan); print({'torch', 'flwr'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


def test_every_public_name_has_a_home_and_every_home_is_public():
    assert sorted(fedscan._HOMES) == fedscan.__all__
    assert all(module and name for module, name in fedscan._HOMES.values())


def test_every_public_name_is_there_and_documented():
    for name in fedscan.__all__:
        value = getattr(fedscan, name)
        assert name in dir(fedscan)
        assert name == "Progress" or inspect.getdoc(value)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fedscan.nothing  # noqa: B018


@pytest.mark.parametrize("name", DOCTESTED)
def test_the_examples_of_functions_hold(name, known):
    function = getattr(fedscan, name)
    found = [test for test in doctest.DocTestFinder().find(function, name) if test.examples]
    assert found
    for test in found:
        test.globs.update(known)
        report: list[str] = []
        doctest.DocTestRunner().run(test, out=report.append)
        assert report == []


def digests(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "manifest.json"
    }


def test_the_same_seed_gives_the_same_bytes_from_python_and_the_command(run, tmp_path):
    words = ["generate", str(run), "--steps", "2", "-n", "2", "--seed", "3"]
    words += [word for prompt in PROMPTS for word in ("--prompt", prompt)]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "command")])
    assert result.exit_code == 0, result.output
    request = fedscan.GenerateRequest(prompts=PROMPTS, count=2, steps=2, seed=3)
    told = []
    drawn = fedscan.generate(
        fedscan.load_generator(run), request, progress=lambda *step: told.append(step)
    )
    written = drawn.write(tmp_path / "python")
    assert digests(tmp_path / "python") == digests(tmp_path / "command")
    assert len(written.files) == 4
    assert told == [("images", 4, 4)]
    sides = [check_folder(tmp_path / side) for side in ("python", "command")]
    assert sides[0] == sides[1]
    with Image.open(written.files[0]) as image:
        assert image.text["Synthetic"] == "yes"


def test_arrays_are_conditions_and_files_are_none_beside_them(run, picture):
    generator = fedscan.load_generator(run)
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 8:24] = 1
    stack = fedscan.spatial_conditions((32, 32), mask=mask)
    plain = fedscan.GenerateRequest(prompts=PROMPTS[:1], count=2, steps=1)
    led = fedscan.GenerateRequest(prompts=PROMPTS[:1], count=2, steps=1, spatial=stack)
    each = fedscan.GenerateRequest(
        prompts=PROMPTS[:1], count=2, steps=1, spatial=np.stack([stack, stack])
    )
    images = [fedscan.generate(generator, one).images for one in (plain, led, each)]
    assert not np.array_equal(images[0], images[1])
    assert np.array_equal(images[1], images[2])
    with pytest.raises(fedscan.FedscanError, match="as files and as an array"):
        fedscan.GenerateRequest(prompts=PROMPTS, spatial=stack, mask=picture)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"prompts": "one text"}, "prompts is 'one text'"),
        ({"prompts": PROMPTS, "position": 2.0}, "position is 2.0"),
        ({"prompts": PROMPTS, "steps": 0}, "steps is 0"),
    ],
)
def test_requests_that_cannot_be_are_refused_at_once(options, said):
    with pytest.raises(fedscan.FedscanError, match=said):
        fedscan.GenerateRequest(**options)


def test_every_public_function_has_an_example():
    functions = {name for name in fedscan.__all__ if inspect.isfunction(getattr(fedscan, name))}
    assert functions == set(DOCTESTED)


def test_the_page_for_python_runs(known):
    page = (Path(__file__).parents[1] / "docs" / "python.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    known = {**known}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), known)
    assert known["tensor"].affine[0, 1] == 0
    assert known["tensor"].shape == (1, 3, 32, 32)
    assert len(known["written"].files) == 2


def test_commands_print_one_document_for_scripts(run, tmp_path):
    out = tmp_path / "out"
    words = ["generate", str(run), "--steps", "1", "-n", "1", "--prompt", "axial CT of the head"]
    result = CliRunner().invoke(app, [*words, "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["files"] == [str(out / "00-000.png")]
    checked = CliRunner().invoke(app, ["verify", str(out), "--json"])
    assert json.loads(checked.stdout)["signer"] == told["signer"]
