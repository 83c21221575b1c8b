"""What a generator never learnt, or cannot read, is refused or said loudly."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fedscan.applications.generate import GenerateRequest, generate
from fedscan.applications.generator import LoadedGenerator, load_generator
from fedscan.applications.prompts import notes, require_drawable
from fedscan.applications.volume import VolumeRequest, volume
from fedscan.cli.main import app
from fedscan.errors import ConfigurationError, ModelError
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import load_generator as open_generator
from fedscan.model.storage import save_generator, state_learnt
from fedscan.model.words.learnt import KEY, Learnt
from fedscan.model.words.tables import few_words, shipped_words
from typer.testing import CliRunner

LEARNT = Learnt(
    frozenset({("X-ray", "chest", ""), ("X-ray", "chest", "pneumonia"), ("CT", "head", "")})
)
NEVER = [
    ("knee MR", "MR of the knee"),
    ("mammogram", "X-ray of the breast"),
    ("fetal ultrasound", "ultrasound of the fetus"),
    ("hand X-ray, fracture", "X-ray of the hand"),
    ("chest X-ray, cardiomegaly", "with cardiomegaly"),
    ("Röntgenbild der Lunge mit Pneumonie", "cannot be read"),
    ("CT de la tête", "not understood but for its modality"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    built = build_generator(GeneratorSettings(size="tiny"), seed=0)
    save_generator(built, run / "generator", {KEY: LEARNT.to_card()})
    return run


@pytest.fixture(scope="module")
def generator(folder) -> LoadedGenerator:
    return load_generator(folder)


@pytest.mark.parametrize(("prompt", "said"), NEVER)
def test_python_and_the_command_refuse(generator, folder, tmp_path, prompt, said):
    with pytest.raises(ModelError, match=said):
        generate(generator, GenerateRequest(prompts=["chest X-ray", prompt], count=1, steps=1))
    words = ["generate", str(folder), "-p", prompt, "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 6
    assert json.loads(result.stdout)["error"]["code"] == "model"
    assert not list(tmp_path.rglob("*.png"))


def test_an_empty_prompt_is_no_prompt(generator, folder, tmp_path):
    with pytest.raises(ConfigurationError, match="empty"):
        generate(generator, GenerateRequest(prompts=["  "], steps=1))
    words = ["generate", str(folder), "-p", "", "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(app, words).exit_code == 2


def test_it_can_be_drawn_all_the_same_and_says_so(generator):
    asked = GenerateRequest(prompts=["knee MR"], count=1, steps=1, anyway=True)
    assert any("NEVER LEARNT" in line for line in asked.notes(generator))
    drawn = generate(generator, asked)
    assert drawn.groups[0].description.part == "knee"
    assert np.isfinite(drawn.images).all()


def test_a_volume_is_refused_alike(generator):
    asked = VolumeRequest(prompt="axial CT of the abdomen", slices=2, steps=1)
    with pytest.raises(ModelError, match="CT of the abdomen"):
        volume(generator, asked)


def test_what_was_learnt_is_drawn_without_a_word(generator):
    asked = GenerateRequest(prompts=["chest X-ray, pneumonia", "axial CT slice of the head"])
    require_drawable(generator, asked.prompts)
    assert asked.notes(generator) == []


def test_a_generator_without_a_record_draws_and_says_so(tmp_path):
    save_generator(build_generator(GeneratorSettings(size="tiny"), seed=0), tmp_path)
    unknown = load_generator(tmp_path)
    require_drawable(unknown, ["knee MR"])
    assert "does not say what it has learnt" in notes(unknown, ["knee MR"])[-1]


def test_words_and_record_are_saved_with_a_generator(folder, tmp_path):
    again = open_generator(folder / "generator")
    assert (again.words, again.learnt) == (shipped_words(), LEARNT)
    again.words = few_words()
    save_generator(again, tmp_path / "few", {KEY: LEARNT.to_card()})
    assert open_generator(tmp_path / "few").words == few_words()
    assert not (tmp_path / "few" / "vocabulary.toml").exists()
    state_learnt(tmp_path / "few", {("X-ray", "limb", "fracture")})
    stated = open_generator(tmp_path / "few").learnt
    assert stated.findings("X-ray", "limb") == ("fracture",)
    assert not stated.complete
    assert "**X-ray, limb**: fracture" in (tmp_path / "few" / "README.md").read_text()


def test_what_the_encoder_does_not_hear_is_named(generator):
    many = "chest X-ray, PA view, effusion, cardiomegaly, consolidation, atelectasis, nodule, "
    many += "emphysema, fibrosis, hernia, mass, pneumothorax, pleural thickening, female, elderly"
    [line] = [one for one in notes(generator, [many]) if "hears no more" in one]
    assert "elderly" in line


def test_the_shipped_base_knows_what_it_learnt():
    base = load_generator()
    require_drawable(base, ["chest X-ray, pneumonia", "axial T1 of the head, lesion"])
    for prompt, _ in NEVER:
        with pytest.raises(ModelError):
            require_drawable(base, [prompt])
