"""A base from public images: read with their labels, credited, and none that a hospital has."""

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fedscan.cli.main import app
from fedscan.errors import ConfigurationError, DataError
from fedscan.model.description import Description
from fedscan.model.example import Example
from fedscan.model.generator import build_generator
from fedscan.model.pretraining.examples import bank_of
from fedscan.model.settings import GeneratorSettings
from fedscan.model.words.tables import shipped_words
from fedscan.simulation.pretraining.collect import collect_public
from fedscan.simulation.pretraining.credits import read_credits
from fedscan.simulation.pretraining.sheet import write_sheet
from fedscan.simulation.pretraining.source import PublicSource
from PIL import Image
from skimage.filters import gaussian
from typer.testing import CliRunner

CREDITS = [("source", "licence", "citation"), ("films", "CC BY 4.0", "A. Uthor 2020")]
ROWS = [
    ("image", "patient", "modality", "body_part", "view", "sequence", "finding", "source"),
    ("a.png", "p1", "CR", "HAND", "frontal", "", "Fracture", "films"),
    ("b.png", "p1", "CR", "HAND", "lateral", "", "No fracture", "films"),
    ("c.png", "p2", "MR", "BRAIN", "axial", "T1 with contrast", "Multiple sclerosis", "films"),
    ("d.png", "", "CR", "CHEST", "AP", "", "Bacterial pneumonia", "films"),
    ("e.png", "p9", "OCT", "EYE", "", "", "Normal", "films"),
]


def picture(seed):
    """A smooth random picture of 80 × 96 pixels."""
    rough = np.random.default_rng(seed).standard_normal((80, 96))
    smooth = gaussian(rough, 4)
    low, high = smooth.min(), smooth.max()
    return ((smooth - low) / (high - low) * 255).astype(np.uint8)


def write_table(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def write_folder(folder, rows=ROWS, first_seed=0):
    (folder / "pictures").mkdir(parents=True)
    for number, row in enumerate(rows[1:]):
        Image.fromarray(picture(first_seed + number)).save(folder / "pictures" / row[0])
    write_table(folder / "metadata.csv", rows)
    write_table(folder / "sources.csv", CREDITS)
    return folder


@pytest.fixture
def public(tmp_path):
    return write_folder(tmp_path / "films")


def test_pictures_are_read_with_what_their_table_says(public):
    source = PublicSource(folder=public)
    read = source.open(shipped_words(), 64, evens_out=True).read()
    examples, patients, names = read.examples, read.patients, read.sources
    assert [example.description.caption() for example in examples] == [
        "hand X-ray, PA view, fracture",
        "hand X-ray, lateral view, no finding",
        "axial T1-weighted MR slice of the head, multiple sclerosis, with contrast",
        "chest X-ray, AP view, pneumonia",
    ]
    assert patients == ["p1", "p1", "p2", "pictures/d.png"]  # of nobody known: one of its own
    assert set(names) == {"films"}
    image = examples[0].image
    assert image.shape == (64, 64)
    # Proportions are kept: 80 × 96 becomes 53 × 64, and the rest is black.
    assert (image[:5] == -1).all()
    assert image[6:-6].std() > 0.1


def test_a_folder_without_credits_is_refused_before_anything_is_read(public):
    (public / "sources.csv").write_text("source,licence,citation\nfilms,,somebody\n")
    with pytest.raises(DataError, match="licence of every source"):
        read_credits(public)
    (public / "sources.csv").unlink()
    result = CliRunner().invoke(
        app, ["pretrain", str(public.parent / "out"), "--data", str(public), "--size", "tiny"]
    )
    assert result.exit_code == 3, result.output
    assert "whose images these are" in " ".join(result.output.split())
    assert not (public.parent / "out" / "examples.npz").exists()


def test_pictures_without_a_row_or_a_known_modality_are_left_out(public):
    Image.fromarray(picture(99)).save(public / "pictures" / "unknown.png")
    (public / "pictures" / "broken.png").write_bytes(b"no picture")
    read = PublicSource(folder=public).open(shipped_words(), 32).read()
    assert len(read.examples) == 4
    assert read.left_out == {
        "no row in the table": 2,
        "modality unknown": 1,
    }
    write_table(public / "metadata.csv", [ROWS[0], ROWS[5]])
    with pytest.raises(DataError, match="modality unknown"):
        PublicSource(folder=public).open(shipped_words(), 32).read()


@pytest.mark.parametrize("change", ["same", "smaller", "jpeg", "contrast"])
def test_an_image_that_a_hospital_has_is_not_trained_on_however_it_was_saved(
    tmp_path, public, change
):
    never = tmp_path / "hospital"
    rows = [ROWS[0], ("x.png", "q1", "CR", "CHEST", "AP", "", "", "")]
    write_folder(never, rows, first_seed=50)
    copy = Image.fromarray(picture(3))
    if change == "smaller":
        copy = copy.resize((72, 60))
    if change == "contrast":
        copy = copy.point(lambda value: int(255 * (value / 255) ** 1.4))
    path = never / "pictures" / ("x.jpg" if change == "jpeg" else "x.png")
    (never / "pictures" / "x.png").unlink()
    copy.save(path, quality=40)
    words = shipped_words()
    collected = collect_public((PublicSource(folder=public),), words, 64, never=(never,))
    assert collected.refusals.same == 1
    assert "pneumonia" not in " ".join(collected.banks[0][1].captions)
    assert sum(collected.images.values()) == 3


def test_an_image_that_a_hospital_has_is_known_also_where_its_margins_go(tmp_path):
    kind = ("CR", "CHEST", "AP", "", "Normal")
    films = [(f"{n}.png", f"p{n}", *kind, "films") for n in range(4)]
    public = write_folder(tmp_path / "films", [ROWS[0], *films])
    hospital = write_folder(
        tmp_path / "hospital",
        [ROWS[0], ("0.png", "q0", *kind, ""), ("1.png", "q1", *kind, "")],
    )
    for folder, count in ((public, 4), (hospital, 2)):
        for number in range(count):
            barred = np.pad(picture(number), ((24, 24), (0, 0)))
            Image.fromarray(barred).save(folder / "pictures" / f"{number}.png")
    sources = (PublicSource(folder=public),)
    collected = collect_public(sources, shipped_words(), 64, never=(hospital,))
    # One of the two has lost its bars by then.
    assert collected.refusals.same == 2


def test_what_is_measured_with_is_read_as_it_is(public):
    opened = PublicSource(folder=public).open(shipped_words(), 32).read()
    captions = [example.description.caption() for example in opened.examples]
    assert captions[0] == "hand X-ray, frontal view, fracture"


def test_other_images_of_a_patient_who_is_in_a_hospital_are_not_trained_on(tmp_path, public):
    never = tmp_path / "hospital"
    write_folder(never, [ROWS[0], ("z.png", "p1", "CR", "HAND", "", "", "", "")], first_seed=70)
    words = shipped_words()
    collected = collect_public((PublicSource(folder=public),), words, 64, never=(never,))
    assert (collected.refusals.same, collected.refusals.patients) == (0, 2)
    with pytest.raises(DataError, match="All 4 images"):
        collect_public((PublicSource(folder=public),), words, 64, never=(public,))


def test_weights_are_numbers_above_zero():
    assert PublicSource.parse("a=b=2").folder == Path("a=b")
    for text in ("films=0", "films=many", "films=-1", "films=nan"):
        with pytest.raises(ConfigurationError, match="weight of films"):
            PublicSource.parse(text)


def test_a_base_from_public_images_names_them_and_makes_a_sheet(tmp_path, public):
    out, never = tmp_path / "base", tmp_path / "never"
    write_folder(never, [ROWS[0], ("n.png", "p2", "CR", "HAND", "", "", "", "")], 90)
    words = [
        *("pretrain", str(out), "--data", f"{public}=3", "--never", str(never)),
        *("--size", "tiny", "--examples", "16"),
        *("--autoencoder-images", "64", "--denoiser-images", "64"),
    ]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["images"] == {"films: films": 3, "phantoms": 16}
    assert told["left_out"]["of a patient who must not be trained on"] == 1
    card = json.loads((out / "generator" / "fedscan.json").read_text())
    assert card["sources"] == ["films: CC BY 4.0. A. Uthor 2020"]
    assert set(card["digests"]) == {"films"}
    assert card["left_out"] == told["left_out"]
    assert "Public images" in card["data"]
    assert "A. Uthor 2020" in (out / "generator" / "README.md").read_text()
    (public / "pictures" / "a.png").unlink()
    changed = CliRunner().invoke(app, words)
    assert changed.exit_code == 2
    assert "another value of images" in " ".join(changed.output.split())


def test_the_sheet_shows_what_was_learnt_and_says_that_it_is_synthetic(tmp_path):
    tiny = build_generator(GeneratorSettings(size="tiny"))
    example = Example(image=np.zeros((32, 32), np.float32), description=Description(modality="CT"))
    write_sheet(tiny, bank_of([example], [""]), tmp_path / "samples.png")
    with Image.open(tmp_path / "samples.png") as sheet:
        assert sheet.text["Synthetic"] == "yes"
        assert min(sheet.size) > 64


def test_a_frontal_film_is_heard_as_frontal_and_by_both_projections(tmp_path):
    films = [
        (f"{n}.png", f"p{n}", "CR", "CHEST", "frontal", "", "Normal", "films") for n in range(6)
    ]
    folder = write_folder(tmp_path / "films", [ROWS[0], *films])
    public = PublicSource(folder=folder).open(shipped_words(), 32, evens_out=True).read()
    views = Counter(one.description.view for one in public.examples)
    assert views == {"frontal": 2, "PA": 2, "AP": 2}
