"""Pictures with a table: what a base may be pre-trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from fedscan.imaging.examples.pictures import LabelledPictures
from fedscan.imaging.labels.source import Split
from fedscan.model.words.tables import shipped_words
from PIL import Image

TABLE = """\
image_id,patient,modality,body_part,plane_or_view,sequence_or_kernel,finding,sex,split
a,p1,CR,HAND,frontal,,Fracture,F,train
b,p1,CR,HAND,lateral,,No fracture,F,train
c,p2,MR,BRAIN,axial,FLAIR,Multiple sclerosis,M,test
d,p3,MR,LSPINE,sagittal,T1 with contrast,,,
e,p4,CT,CHEST,axial,lung window,Lung cancer,,
f,p5,OCT,EYE,,,,,
gone,p6,CR,HAND,,,,,
"""


def pictures(tmp_path: Path) -> LabelledPictures:
    rng = np.random.default_rng(0)
    for number, name in enumerate("abcdefx"):
        suffix = (".png", ".JPG", ".jpeg")[number % 3]
        path = tmp_path / "pictures" / f"part{number % 2}" / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (40, 30), dtype=np.uint8)).save(path)
    (tmp_path / "pictures" / "e.jpg").write_bytes(b"no picture")
    (tmp_path / "pictures" / "notes.txt").write_text("a, p1")
    table = tmp_path / "metadata.csv"
    table.write_text(TABLE)
    return LabelledPictures(tmp_path / "pictures", table, shipped_words(), image_size=32)


def test_a_picture_is_what_its_row_says(tmp_path: Path):
    opened = pictures(tmp_path)
    found = list(opened)
    captions = {one.example.description.caption(): one for one in found}
    assert set(captions) == {
        "hand X-ray, frontal view, fracture, female",
        "hand X-ray, lateral view, no finding, female",
        "axial FLAIR MR slice of the head, multiple sclerosis, male",
        "sagittal T1-weighted MR slice of the lumbar spine, with contrast",
        "axial CT slice of the chest, lung cancer",
    }
    one = captions["hand X-ray, frontal view, fracture, female"]
    assert (one.patient, one.split) == ("p1", Split.TRAIN)
    assert one.example.image.shape == (32, 32)
    assert one.example.image.dtype == np.float32
    assert -1 <= one.example.image.min() < one.example.image.max() <= 1
    sides = {one.patient: one.split for one in found}
    assert sides["p2"] is Split.HELD_OUT
    assert sides["p3"] is None
    assert opened.left_out == {
        "no row in the table": 1,
        "modality unknown": 1,
        "no picture that can be read": 1,
    }
    assert opened.fit.unmatched == {"names what is not here": 1}


def test_reading_again_gives_the_same(tmp_path: Path):
    first, again = (list(pictures(tmp_path)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert one.patient == other.patient
        np.testing.assert_array_equal(one.example.image, other.example.image)


def test_an_age_in_years_or_as_a_band_becomes_a_word(tmp_path: Path):
    ages = {
        "a": "4",
        "b": "061Y",
        "c": "7 months",
        "d": "child",
        "e": "unknown",
        "f": "412",
        "g": "240M",
    }
    table = tmp_path / "metadata.csv"
    rows = [f"{name},{name},CR,CHEST,{age}" for name, age in ages.items()]
    table.write_text("\n".join(["image,patient,modality,body_part,age", *rows]))
    for name in ages:
        Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)).save(
            tmp_path / f"{name}.png"
        )
    found = list(LabelledPictures(tmp_path, table, shipped_words(), image_size=32))
    bands = {one.patient: one.example.description.age_band for one in found}
    assert bands == {
        "a": "child", "b": "middle-aged", "c": "child", "d": "child", "e": "", "f": "",
        "g": "young adult",
    }  # fmt: skip


def test_half_of_the_pictures_lose_their_black_margins(tmp_path: Path):
    film, head = np.full((40, 50), 99), np.full((20, 20), 99)
    films = {f"film{n}": ("CR", np.pad(film, ((5, 5), (0, 0)))) for n in range(8)}
    films |= {f"head{n}": ("MR", np.pad(head, 20)) for n in range(8)}
    table = tmp_path / "metadata.csv"
    lines = [f"{name},{name},{modality},CHEST" for name, (modality, _) in films.items()]
    table.write_text("\n".join(["image,patient,modality,body_part", *lines]))
    for name, (_, pixels) in films.items():
        values = pixels * np.linspace(1, 2, pixels.shape[1])
        Image.fromarray(values.astype(np.uint8)).save(tmp_path / f"{name}.png")
    black: dict[str, set[bool]] = {"film": set(), "head": set()}
    pictures = LabelledPictures(tmp_path, table, shipped_words(), image_size=32, evens_out=True)
    for one in pictures:
        assert (one.whole[0] == -1).all()
        black[one.patient[:4]].add(bool((one.example.image[0] == -1).all()))
    assert black == {"film": {True, False}, "head": {True, False}}
