"""``fedscan generate``: marked pictures, the same for the same seed, led by conditions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from fedscan.cli.conditions import load_conditions
from fedscan.cli.main import app
from fedscan.errors import DataError
from fedscan.model.conditions import EDGES, LABEL, PARTIAL, PARTIAL_KNOWN
from fedscan.model.marking import NOTICE
from PIL import Image
from typer.testing import CliRunner

PROMPTS = ("--prompt", "axial CT slice of the head", "--prompt", "chest X-ray, pneumonia")


@pytest.fixture(autouse=True)
def signing_key(tmp_path_factory, monkeypatch):
    """A key of the tests' own, never the user's."""
    path = tmp_path_factory.mktemp("key") / "signing.key"
    monkeypatch.setenv("FEDSCAN_SIGNING_KEY", str(path))
    return path


def generate(model: Path, *arguments: object) -> Result:
    words = ["generate", str(model), "--steps", "2", *map(str, arguments)]
    return CliRunner().invoke(app, words)


def test_pictures_say_that_they_are_synthetic_and_how_they_were_made(tiny_generator, tmp_path):
    result = generate(tiny_generator, *PROMPTS, "-n", 2, "--seed", 3, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    images = ["00-000.png", "00-001.png", "01-000.png", "01-001.png"]
    assert names == [*images, "contact-sheet.png", "manifest.json"]
    with Image.open(tmp_path / "out" / "01-001.png") as picture:
        assert (picture.size, picture.mode) == ((32, 32), "L")
        assert picture.text["Description"] == "chest X-ray, pneumonia"
        assert picture.text["Disclaimer"] == NOTICE
        assert picture.text["Seed"] == "3"
        assert len(picture.text["Generator"]) == 64
        assert "synthetic" in NOTICE.lower()
    with Image.open(tmp_path / "out" / "contact-sheet.png") as sheet:
        assert sheet.text["Synthetic"] == "yes"


def pixels(folder: Path) -> list[bytes]:
    return [Image.open(path).tobytes() for path in sorted(folder.glob("0*.png"))]


def test_the_same_seed_gives_the_same_pictures_and_another_seed_others(tiny_generator, tmp_path):
    for name, seed, batch in (("a", 1, 32), ("b", 1, 1), ("c", 2, 32)):
        out = ("--out", tmp_path / name, "--seed", seed, "--batch", batch)
        assert generate(tiny_generator, *PROMPTS, "-n", 1, *out).exit_code == 0
    first, again, other = (pixels(tmp_path / name) for name in "abc")
    assert first == again
    assert first != other


def test_existing_pictures_are_not_overwritten(tiny_generator, tmp_path):
    out = (*PROMPTS, "-n", 1, "--out", tmp_path)
    assert generate(tiny_generator, *out).exit_code == 0
    result = generate(tiny_generator, *out)
    assert result.exit_code == 3
    assert "already holds generated images" in result.output


def test_a_folder_without_a_generator_is_a_model_error(tmp_path):
    result = generate(tmp_path, *PROMPTS)
    assert result.exit_code == 6
    assert "There is no generator in" in result.output


def picture(path: Path, array: np.ndarray, mode: str) -> Path:
    Image.fromarray(array.astype(np.uint8)).convert(mode).save(path)
    return path


def test_a_mask_is_read_as_labels_and_scaled_without_blending(tmp_path):
    labels = np.zeros((64, 64))
    labels[:32] = LABEL["brain"]
    stack = load_conditions(32, mask=picture(tmp_path / "m.png", labels, "L"))
    assert stack is not None
    assert stack[LABEL["brain"] - 1, :16].all()
    assert stack[: len(LABEL)].sum() == 16 * 32


def test_edges_and_the_known_part_of_a_picture_are_read(tmp_path):
    edges = picture(tmp_path / "e.png", np.full((32, 32), 255), "L")
    rgba = np.zeros((32, 32, 4))
    rgba[:, :16] = 255
    partial = picture(tmp_path / "p.png", rgba, "RGBA")
    stack = load_conditions(32, edges=edges, partial=partial)
    assert stack is not None
    assert stack[EDGES].min() == 1
    assert (stack[PARTIAL, :, :8] == 1).all()
    assert (stack[PARTIAL_KNOWN, :, :8] == 1).all()
    assert (stack[PARTIAL_KNOWN, :, 24:] == 0).all()


def test_no_picture_is_no_condition():
    assert load_conditions(32) is None


@pytest.mark.parametrize(
    ("option", "array", "mode", "expected"),
    [
        ("mask", np.full((8, 8), 99), "L", "label 99"),
        ("mask", np.zeros((8, 8, 3)), "RGB", "must be label numbers"),
        ("partial", np.full((8, 8, 4), 255), "RGBA", "nothing is left to generate"),
    ],
)
def test_unusable_pictures_are_refused_with_the_reason(tmp_path, option, array, mode, expected):
    path = picture(tmp_path / "x.png", array, mode)
    with pytest.raises(DataError, match=expected):
        load_conditions(32, **{option: path})


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    file = tmp_path / "x.png"
    file.write_text("no picture")
    with pytest.raises(DataError, match="is not a picture"):
        load_conditions(32, mask=file)
    with pytest.raises(DataError, match="There is no picture"):
        load_conditions(32, mask=tmp_path / "none.png")


def test_a_mask_changes_the_pictures(tiny_generator, tmp_path):
    labels = np.zeros((32, 32))
    labels[8:24, 8:24] = LABEL["lesion"]
    mask = picture(tmp_path / "m.png", labels, "L")
    for name, extra in (("plain", ()), ("masked", ("--mask", mask))):
        out = ("--out", tmp_path / name, "-n", 1, *extra)
        assert generate(tiny_generator, *PROMPTS, *out).exit_code == 0
    assert pixels(tmp_path / "plain") != pixels(tmp_path / "masked")


def test_what_a_prompt_asks_for_is_honoured_or_named(tiny_generator, tmp_path):
    prompt = "coronal CT slice of a healthy lung, 512x512, Hounsfield units calibrated, purple"
    result = generate(tiny_generator, "--prompt", prompt, "-n", 1, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "is read as 'coronal CT slice of the chest, no finding'" in result.output
    assert "512×512: this generator makes 32×32" in result.output
    assert "No meaning to the generator: purple" in result.output
    with Image.open(tmp_path / "out" / "00-000.png") as picture:
        assert picture.text["Caption"] == "coronal CT slice of the chest, no finding"
        assert picture.text["Description"] == prompt


@pytest.mark.parametrize(("form", "names"), [("nifti", "*.nii.gz"), ("dicom", "*.dcm")])
def test_other_formats_need_a_modality_and_are_verified(tiny_generator, tmp_path, form, names):
    out = tmp_path / form
    result = generate(tiny_generator, *PROMPTS, "-n", 1, "--format", form, "--out", out)
    assert result.exit_code == 0, result.output
    assert len(list(out.glob(names))) == 2
    verified = CliRunner().invoke(app, ["verify", str(out)])
    assert verified.exit_code == 0, verified.output
    assert "3 files as they were made" in verified.output
    next(out.glob(names)).write_bytes(b"another file")
    changed = CliRunner().invoke(app, ["verify", str(out)])
    assert changed.exit_code == 7
    assert "was changed" in changed.output
    vague = generate(
        tiny_generator, "--prompt", "a head", "--format", form, "--out", tmp_path / "no"
    )
    assert vague.exit_code == 3
    assert "names none" in vague.output
