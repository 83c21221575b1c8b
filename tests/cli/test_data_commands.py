"""``fedscan phantoms``, ``index`` and ``ledger`` on what they really read and write."""

from __future__ import annotations

import json

import numpy as np
from fedscan.cli.main import app
from fedscan.privacy.ledger.ledger import Ledger
from fedscan.privacy.mechanism import SubsampledGaussian
from typer.testing import CliRunner

runner = CliRunner()


def test_phantoms_are_what_index_finds(hospitals):
    result = runner.invoke(app, ["index", str(hospitals / "hospital-a"), "--json"])
    found = json.loads(result.stdout)
    assert found["patients"] == 2
    assert found["slices"] == 3 * found["series"]
    assert found["set_aside"] == {}


def test_index_counts_what_it_set_aside_and_shows_no_identifier(hospitals, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    for source in (hospitals / "hospital-a").rglob("*.dcm"):
        (folder / f"{source.parent.parent.name}-{source.parent.name}-{source.name}").write_bytes(
            source.read_bytes()
        )
    (folder / "notes.txt").write_text("no DICOM")
    result = runner.invoke(app, ["index", str(folder)])
    assert "2 patients" in result.output
    assert "not a DICOM file" in result.output
    assert "UHA" not in result.output


def test_index_counts_patients_and_slices_for_every_word(write_image, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(24):
        image = rng.integers(0, 2000, (16, 16), np.uint16)
        fracture = number < 12
        write_image(
            tmp_path / f"{number}.dcm",
            image,
            Modality="DX",
            PatientID=f"p{number}",
            BodyPartExamined="HAND" if number % 2 else "KNEE",
            AdmittingDiagnosesDescription="fracture" if fracture else "no finding",
            Laterality="L" if number < 3 else "",
        )
    found = json.loads(runner.invoke(app, ["index", str(tmp_path), "--json"]).stdout)
    assert found["words"] == {
        "modality": {"X-ray": [24, 24]},
        "body part": {"hand": [12, 12], "knee": [12, 12]},
        "laterality": {"left": [3, 3]},
        "finding": {"fracture": [12, 12], "no finding": [12, 12]},
    }
    shown = runner.invoke(app, ["index", str(tmp_path)]).output
    assert "Body part" in shown
    assert "fracture" in shown
    few = ["index", str(tmp_path), "--json", "--set", "vocabulary.start=few"]
    counted = json.loads(runner.invoke(app, few).stdout)["words"]
    assert counted["body part"] == {"limb": [24, 24]}
    assert counted["finding"] == {"no finding": [12, 12], "other finding": [12, 12]}
    own = [*few, "--set", 'vocabulary.findings=[{word="break", names=["fracture"]}]']
    assert "break" in json.loads(runner.invoke(app, own).stdout)["words"]["finding"]


def test_what_others_see_has_no_small_number(write_image, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(25):
        write_image(
            tmp_path / f"{number}.dcm",
            rng.integers(0, 2000, (16, 16), np.uint16),
            Modality="DX",
            PatientID=f"p{number}",
            BodyPartExamined="HAND",
            AdmittingDiagnosesDescription="fracture" if number < 9 else "no finding",
        )
    words = ["index", str(tmp_path), "--json", "--to-share"]
    found = json.loads(runner.invoke(app, words).stdout)
    assert (found["patients"], found["slices"]) == (20, 20)
    assert found["words"]["finding"] == {"no finding": [10, 10]}
    assert found["words"]["body part"] == {"hand": [20, 20]}
    assert all("fracture" not in caption for caption in found["captions"])


def test_phantoms_are_not_written_over_others(hospitals):
    result = runner.invoke(app, ["phantoms", str(hospitals)])
    assert result.exit_code == 3
    assert "is not empty" in result.output


def test_wrong_sizes_are_all_named(tmp_path):
    words = ["phantoms", str(tmp_path), "--patients", "0,x", "--contrasts", "PET"]
    words += ["--coverage=-72,88"]
    result = runner.invoke(app, words)
    assert result.exit_code == 2
    assert "patients = [0, 'x']: allowed is list of whole number, at least 1" in result.output
    assert "contrasts = ['PET']: allowed is list of one of T1, T2, CT" in result.output
    assert "coverage = -72.0: allowed is list of number, at least -70, at most 100" in result.output


def test_index_of_no_folder_is_a_data_error(tmp_path):
    assert runner.invoke(app, ["index", str(tmp_path / "none")]).exit_code == 3


def test_ledger_prints_what_was_spent(tmp_path):
    folder = tmp_path / "run" / "sites" / "a" / "ledger"
    mechanism = SubsampledGaussian(sample_rate=0.1, noise_multiplier=1.0, steps=10)
    with Ledger.open(folder, "ab" * 16, epsilon_ceiling=8, delta=1e-5) as opened:
        opened.reserve("0" * 64, [mechanism], purpose="round 1")
    for path in (folder, tmp_path / "run"):
        result = runner.invoke(app, ["ledger", str(path)])
        assert result.exit_code == 0, result.output
        assert "round 1" in result.output
        assert "Spent: epsilon " in result.output
    shown = json.loads(runner.invoke(app, ["ledger", str(folder), "--json"]).stdout)
    assert shown[str(folder)]["mechanisms"] == [mechanism.to_dict()]


def test_a_damaged_ledger_ends_with_its_status(tmp_path):
    assert runner.invoke(app, ["ledger", str(tmp_path)]).exit_code == 5
