"""Tables of public images from elsewhere: where they are used, and what they do not fit."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fedscan.cli.main import app
from fedscan.errors import ConfigurationError, DataError
from fedscan.model.words.tables import shipped_words
from fedscan.simulation.pretraining.collect import collect_public, read_forbidden
from fedscan.simulation.pretraining.source import PublicSource
from PIL import Image
from tiny_hospitals import write_hospitals
from typer.testing import CliRunner

WORDS = shipped_words()
CREDITS = [("source", "licence", "citation"), ("films", "CC BY 4.0", "A. Uthor 2020")]
HANDS = [
    ("image", "patient", "modality", "body_part", "finding"),
    ("a.png", "p1", "CR", "HAND", "Fracture"),
    ("b.png", "p2", "CR", "HAND", "No fracture"),
]


def write_table(path: Path, rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def write_pictures(folder: Path, names: str, first_seed: int = 0, table=None) -> Path:
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        pixels = np.random.default_rng(first_seed + number).integers(0, 255, (40, 48), np.uint8)
        Image.fromarray(np.kron(pixels, np.ones((2, 2), np.uint8))).save(folder / f"{name}.png")
    write_table(folder / "sources.csv", CREDITS)
    if table:
        write_table(folder / "metadata.csv", table)
    return folder


def captions(source: PublicSource) -> list[str]:
    read = source.open(WORDS, 32).read()
    return [example.description.caption() for example in read.examples]


@pytest.fixture
def hands(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "hands", "ab", table=HANDS)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    rows = [HANDS[0], ("a.png", "p1", "CR", "FOOT", "Osteoarthritis"), ("z.png", "", "CR", "", "")]
    return write_table(tmp_path / "labels.csv", rows)


def test_a_table_that_is_named_goes_before_the_folders_own(hands: Path, elsewhere: Path) -> None:
    assert captions(PublicSource(folder=hands)) == [
        "hand X-ray, fracture",
        "hand X-ray, no finding",
    ]
    source = PublicSource(folder=hands, labels=elsewhere)
    assert captions(source) == ["foot X-ray, osteoarthritis"]
    fit = source.open(WORDS, 32).fit
    assert fit is not None
    assert (fit.rows, fit.matched, fit.images_without) == (2, 1, 1)


def test_a_folder_that_it_does_not_fit_keeps_its_own_and_one_must_fit(
    tmp_path: Path, hands: Path, elsewhere: Path
) -> None:
    feet = write_pictures(tmp_path / "feet", "a", first_seed=9)
    rest = write_pictures(tmp_path / "rest", "bq", 20, [HANDS[0], ("q.png", "", "CR", "HAND", "")])
    sources = tuple(PublicSource(folder=one, labels=elsewhere) for one in (feet, rest))
    collected = collect_public(sources, WORDS, 32)
    assert [bank.captions.tolist() for _, bank in collected.banks] == [
        ["foot X-ray, osteoarthritis"],
        ["hand X-ray"],
    ]
    assert {Path(f).name: fit.rows for f, fit in collected.labels.items()} == {"feet": 2, "rest": 1}
    assert collected.left_out == {str(rest): {"no row in the table": 1}}
    unfit = write_table(tmp_path / "unfit.csv", [HANDS[0], ("y.png", "", "CR", "HAND", "")])
    for folder in (hands, feet):
        with pytest.raises(DataError, match="No row of the table"):
            collect_public((PublicSource(folder=folder, labels=unfit),), WORDS, 32)


def test_scans_take_their_findings_from_it_by_the_name_that_is_asked_for(tmp_path: Path) -> None:
    write_hospitals(tmp_path, {"north": 2}, images=1)
    rows = [("file", "mrn", "findings", "split"), ("0-0", "north-1", "fracture", "")]
    table = write_table(tmp_path / "labels.csv", [*rows, ("x", "north-0", "hernia", "test")])
    source = PublicSource(folder=tmp_path / "north", labels=table, labels_by="patient")
    read = source.open(WORDS, 32).read()
    assert [one.description.known_findings for one in read.examples] == [("fracture",)]
    assert read.left_out == {"held out by the table": 1}
    with pytest.raises(DataError, match="is about an image here, by the image"):
        collect_public((replace(source, labels_by=""),), WORDS, 32)


def test_what_a_table_holds_out_is_not_trained_on(tmp_path: Path) -> None:
    rows = [(*HANDS[0], "split"), (*HANDS[1], "train"), (*HANDS[2], "test")]
    films = write_pictures(tmp_path / "films", "abc", table=[*rows, ("c", "p2", "CR", "", "", "")])
    read = PublicSource(folder=films).open(WORDS, 32).read()
    assert read.patients == ["p1"]
    assert read.left_out == {"held out by the table": 2}


def test_pictures_are_of_a_kind_by_their_rows_or_by_what_is_said_of_all(tmp_path: Path) -> None:
    rows = [
        ("image", "finding", "body_part", "view"),
        ("a", "Pneumonia", "", "PA"),
        ("b", "Fracture", "CLAVICLE", "frontal"),
    ]
    films = write_pictures(tmp_path / "films", "ab", table=rows)
    with pytest.raises(DataError, match="what kind of images") as refused:
        PublicSource(folder=films).open(WORDS, 32)
    assert "--all-show" in str(refused.value.hint)
    source = PublicSource(folder=films, all_show="chest X-ray, AP view")
    assert captions(source) == [
        "chest X-ray, PA view, pneumonia",
        "clavicle X-ray, AP view, fracture",
    ]
    for phrase, why in (
        ("chest", "no kind of image"),
        ("chest X-ray of a unicorn", "unicorn"),
        ("chest X-ray, fracture", "more than what kind"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            replace(source, all_show=phrase).open(WORDS, 32)


def test_what_is_said_of_all_does_not_make_films_of_slices(tmp_path: Path) -> None:
    rows = [
        ("image", "modality", "body_part", "sequence", "plane"),
        ("a", "MR", "", "T2", "sagittal"),
        ("b", "CT", "HEAD", "", ""),
        ("c", "", "", "FLAIR", ""),
    ]
    slices = write_pictures(tmp_path / "slices", "abc", table=rows)
    assert captions(PublicSource(folder=slices, all_show="axial MR of the lumbar spine")) == [
        "sagittal T2-weighted MR slice of the lumbar spine",
        "CT image of the head",
        "axial FLAIR MR slice of the lumbar spine",
    ]


def test_scans_beside_pictures_are_not_passed_over(tmp_path: Path, hands: Path) -> None:
    write_hospitals(tmp_path, {"hands": 1}, images=1)
    with pytest.raises(DataError, match="pictures and DICOM files"):
        PublicSource(folder=hands).open(WORDS, 32)
    never = read_forbidden((hands,), WORDS, 32)
    assert never is not None
    assert len(never.thumbnails) == 3
    assert never.patients == {"p1", "p2", "hands-0"}


def test_pictures_of_a_hospital_are_kept_out_whatever_its_table_says(tmp_path: Path) -> None:
    public = write_pictures(tmp_path / "public", "abc", table=[*HANDS, ("c", "p3", "CR", "", "")])
    # The hospital's: one without a row, one whose kind of image is not told, one held out.
    rows = [("image", "patient", "split"), ("y", "p3", "test")]
    hospital = write_pictures(tmp_path / "hospital", "x", table=rows)
    (public / "b.png").replace(hospital / "y.png")
    Image.open(hospital / "y.png").save(public / "b.png")
    with pytest.raises(DataError, match="All 3 images"):
        collect_public((PublicSource(folder=public),), WORDS, 32, never=(hospital,))
    never = read_forbidden((hospital,), WORDS, 32)
    assert never is not None
    assert never.patients == {"p3"}


def test_the_plan_knows_the_table_and_how_it_is_read(hands: Path, elsewhere: Path) -> None:
    source = PublicSource(folder=hands, labels=elsewhere)
    digests = {
        PublicSource(folder=hands).digest(),
        source.digest(),
        replace(source, labels_by="patient").digest(),
        replace(source, all_show="hand X-ray").digest(),
    }
    elsewhere.write_text(elsewhere.read_text().replace("Osteoarthritis", "Fracture"))
    assert len({*digests, source.digest()}) == 5
    with pytest.raises(DataError, match="cannot be read"):
        replace(source, labels=hands / "none.csv").digest()


def test_a_base_is_made_by_a_table_from_elsewhere(
    tmp_path: Path, hands: Path, elsewhere: Path
) -> None:
    words = [
        *("pretrain", str(tmp_path / "base"), "--data", str(hands), "--labels", str(elsewhere)),
        *("--size", "tiny", "--examples", "8", "--json"),
        *("--autoencoder-images", "32", "--denoiser-images", "32"),
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["images"] == {"hands": 1, "phantoms": 8}
    assert told["labels"][str(hands)]["matched"] == 1
    assert told["set_aside"] == {str(hands): {"no row in the table": 1}}
    said = " ".join(result.stderr.split())
    assert "1 of 2 rows about images here" in said
    assert "without one: 1 (they are left out)" in said
    # Going on, it still knows; with a changed table it is another base.
    again = CliRunner().invoke(app, words)
    assert json.loads(again.stdout) == told
    elsewhere.write_text(elsewhere.read_text().replace("Osteoarthritis", "Fracture"))
    changed = CliRunner().invoke(app, words)
    assert changed.exit_code == 2
    assert "another value of images" in " ".join(changed.stderr.split())
    nothing = CliRunner().invoke(app, ["pretrain", str(tmp_path / "b"), "--labels", str(elsewhere)])
    assert nothing.exit_code == 2
    assert "Name one with --data" in " ".join(nothing.output.split())
