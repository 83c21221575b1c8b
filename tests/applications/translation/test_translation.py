"""Translating: pairs are found, a translator learns from them, and what it wrote opens again."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from fedscan.applications.translation.pairs import Pairs, find_pairs
from fedscan.applications.translation.training import TranslatorPlan, train_translator
from fedscan.applications.translation.translator import load_translator, save_translator
from fedscan.cli.main import app
from fedscan.errors import DataError, ModelError
from fedscan.model.description import Description
from fedscan.model.example import Example
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import save_generator
from typer.testing import CliRunner

T1 = Description(modality="T1-weighted MR", body_part="head", plane="axial")
CT = Description(modality="CT", body_part="head", plane="axial")


def discs(count: int) -> np.ndarray:
    """Discs of random places, on black."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((32, 32))
    places = rng.uniform(8, 24, (count, 2))
    inside = [np.hypot(rows - a, columns - b) < 6 for a, b in places]
    return np.where(inside, 0.6, -1.0).astype(np.float32)


def example(description: Description, position: float, value: float = 0.0) -> Example:
    image = np.full((32, 32), value, np.float32)
    return Example(image=image, description=description, position=position)


def test_pairs_are_the_same_slice_of_the_same_patient():
    one = [example(T1, 0.2), example(T1, 0.6), example(CT, 0.6, 1.0)]
    other = [example(CT, 0.2)]
    pairs = find_pairs([one, other], "CT")
    assert pairs.positions == [0.6]
    assert pairs.targets.mean() == 1
    assert pairs.descriptions == [CT]
    with pytest.raises(DataError, match="same slice in T2"):
        find_pairs([one, other], "T2")


@pytest.fixture(scope="module")
def translator():
    sources = discs(32)
    pairs = Pairs(
        sources=sources,
        targets=-0.5 * sources,
        descriptions=[CT] * 32,
        positions=[0.5] * 32,
        patients=[row // 4 for row in range(32)],
    )
    generator = build_generator(GeneratorSettings(size="tiny"), seed=0)
    plan = TranslatorPlan(generator_steps=3, network_steps=60, batch_size=4)
    return train_translator(generator, pairs, "CT", plan)


def test_a_translator_learns_and_opens_again(translator, tmp_path):
    sources = discs(40)[32:]
    captions, positions = [CT.caption()] * 8, [0.5] * 8
    found = translator.translate(sources, captions, positions)
    assert np.abs(found + 0.5 * sources).mean() < 0.2
    save_translator(translator, tmp_path / "CT")
    again = load_translator(tmp_path / "CT")
    assert again.target == "CT"
    assert again.translate(sources, captions, positions) == pytest.approx(found, abs=1e-5)
    (tmp_path / "CT" / "network.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="cannot be opened"):
        load_translator(tmp_path / "CT")


def test_a_scan_is_translated_where_it_lies(translator, tmp_path):
    save_translator(translator, tmp_path / "translators" / "CT")
    affine = np.diag([3.0, 3.0, 5.0, 1.0])
    values = discs(4).transpose(2, 1, 0)[:, :28] * 300 + 300
    nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), affine), tmp_path / "mr.nii.gz")
    words = ["translate", tmp_path / "translators", tmp_path / "mr.nii.gz", "--to", "CT"]
    result = CliRunner().invoke(app, [*map(str, words), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    made = nibabel.as_closest_canonical(nibabel.load(tmp_path / "out/volume.nii.gz"))
    assert made.shape == values.shape
    assert made.affine == pytest.approx(affine, abs=1e-4)
    assert made.get_fdata().min() >= -1000
    assert b"translated to CT" in made.header.extensions[0].get_content()
    assert CliRunner().invoke(app, ["verify", str(tmp_path / "out")]).exit_code == 0


def test_a_translator_is_trained_on_a_site_of_pairs(tmp_path: Path):
    tiny_generator = tmp_path / "generator"
    save_generator(build_generator(GeneratorSettings(size="tiny"), seed=0), tiny_generator)
    pairs = ["phantoms", str(tmp_path / "d"), "--patients", "1", "--paired-share", "1"]
    pairs += ["--matrix", "64"]
    assert CliRunner().invoke(app, [*pairs, "--slices", "2"]).exit_code == 0
    words = ["train-translator", tiny_generator, "--data", tmp_path / "d/hospital-a", "--to", "T2"]
    short = ["--generator-steps", "1", "--network-steps", "1", "--out", str(tmp_path / "t")]
    result = CliRunner().invoke(app, [*map(str, words), *short])
    assert result.exit_code == 0, result.output
    assert "2 pairs" in result.output
    assert load_translator(tmp_path / "t" / "T2").target == "T2"
    missing = CliRunner().invoke(
        app, ["translate", str(tmp_path / "t"), str(tmp_path), "--to", "CT"]
    )
    assert missing.exit_code == 6


def test_made_up_patients_stand_in_for_pairs(tmp_path: Path):
    generator = tmp_path / "generator"
    save_generator(build_generator(GeneratorSettings(size="tiny"), seed=0), generator)
    words = ["train-translator", generator, "--to", "CT", "--out", tmp_path / "t"]
    short = ["--generator-steps", "1", "--network-steps", "1"]
    made_up = ["--made-up", "2", "--body-part", "abdomen"]
    result = CliRunner().invoke(app, [*map(str, words), *short, *made_up])
    assert result.exit_code == 0, result.output
    assert "48 pairs" in result.output  # two patients, six slices, four contrasts of MR
    assert load_translator(tmp_path / "t" / "CT").target == "CT"
    for both in ([], [*made_up, "--data", str(tmp_path)]):
        refused = CliRunner().invoke(app, [*map(str, words), *both])
        assert refused.exit_code == 2
        assert "either from scans" in refused.output
