"""``fedscan index`` of pictures with a table: counted as a pre-training would read them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fedscan.cli.main import app
from PIL import Image
from tiny_hospitals import write_hospitals
from typer.testing import CliRunner

TABLE = """\
image,patient,view,finding,modality,site
a,p1,PA,Effusion|Mass,CR,x
b,p1,AP,No finding,CR,x
c,p2,from behind,low back pain,CR,x
c2,p2,from behind,low back pain,CR,x
c3,p2,from behind,low back pain,CR,x
d,p3,,,OCT,x
gone,p4,,,CR,x
"""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, name in enumerate(("a", "b", "c", "c2", "c3", "d", "e")):
        pixels = np.random.default_rng(number).integers(0, 255, (20, 20), np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    (folder / "b.png").write_bytes(b"broken")
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8")
    return folder


def index(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["index", *map(str, words)])
    return result.exit_code, " ".join(result.output.split())


def test_pictures_are_counted_and_what_is_left_out_is_said(pictures: Path) -> None:
    labels = pictures.parent / "table.csv"
    code, said = index(pictures, "--labels", labels)
    assert code == 0
    assert "2 patients, 4 pictures" in said
    assert "6 of 7 rows about images here" in said
    assert "without one: 1 (they are left out)" in said
    assert "from behind 3" in said
    assert "low back pain 3" in said
    assert "Columns without a meaning here: site." in said
    result = CliRunner().invoke(app, ["index", str(pictures), "--labels", str(labels), "--json"])
    told = json.loads(result.stdout)
    assert (told["patients"], told["slices"]) == (2, 4)
    assert (told["studies"], told["series"]) == (0, 0)
    assert told["words"]["finding"] == {
        "(nothing stated)": [1, 3],
        "mass": [1, 1],
        "pleural effusion": [1, 1],
    }
    assert told["set_aside"] == {
        "modality unknown": 1,
        "no picture that can be read": 1,
        "no row in the table": 1,
    }
    assert told["labels"]["matched"] == 6


def test_a_table_among_the_pictures_is_found_and_must_fit(pictures: Path) -> None:
    # Without a table nothing is known of a picture: it is no DICOM file.
    assert "not a DICOM file │ 7" in index(pictures)[1]
    (pictures / "labels.csv").write_text("image,finding\na,Effusion\n", encoding="utf-8")
    code, said = index(pictures)
    assert code == 3
    assert "--all-show" in said
    code, said = index(pictures, "--all-show", "chest X-ray", "--to-share")
    assert code == 0
    assert "0 patients, 0 pictures" in said
    (pictures / "labels.csv").write_text("image,finding\nq,Effusion\n", encoding="utf-8")
    code, said = index(pictures, "--all-show", "chest X-ray")
    assert code == 3
    assert "No row of the table" in said


def test_a_picture_among_scans_does_not_make_them_pictures(pictures: Path) -> None:
    write_hospitals(pictures, {"north": 1}, images=1)
    labels = pictures.parent / "scans.csv"
    labels.write_text("patient,finding\nnorth-0,fracture\n", encoding="utf-8")
    code, said = index(pictures, "--labels", labels)
    assert code == 0
    assert "1 patient, 1 study, 1 series, 1 slice" in said
    assert "not a DICOM file │ 7" in said
