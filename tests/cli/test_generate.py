"""``fedscan generate``: marked pictures, the same for the same seed, led by conditions."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import torch
from click.testing import Result
from fedscan.cli.main import app
from fedscan.errors import ConfigurationError, DataError
from fedscan.imaging.reading.conditions import SliceAsked, Strengths, load_conditions
from fedscan.model.condition_sampling import edge_map
from fedscan.model.conditions import EDGES, LABEL, PARTIAL, PARTIAL_KNOWN, spatial_conditions
from fedscan.model.marking import NOTICE
from fedscan.model.prompt import read_prompt
from fedscan.model.sampling import sample
from fedscan.model.storage import load_generator, shipped_base
from fedscan.phantoms.parametric import sample_examples
from PIL import Image
from typer.testing import CliRunner

PROMPTS = ("--prompt", "axial CT slice of the head", "--prompt", "chest X-ray, pneumonia")


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
    found = load_conditions(32, mask=picture(tmp_path / "m.png", labels, "L"))
    assert found is not None
    stack = found.stack
    assert stack[LABEL["brain"] - 1, :16].all()
    assert stack[: len(LABEL)].sum() == 16 * 32


def test_edges_and_the_known_part_of_a_picture_are_read(tmp_path):
    edges = picture(tmp_path / "e.png", np.full((32, 32), 255), "L")
    rgba = np.zeros((32, 32, 4))
    rgba[:, :16] = 255
    partial = picture(tmp_path / "p.png", rgba, "RGBA")
    found = load_conditions(32, edges=edges, partial=partial)
    assert found is not None
    stack = found.stack
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


def nifti(path: Path, values: np.ndarray, affine: np.ndarray) -> Path:
    nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), affine), path)
    return path


def asked(prompt: str, position: float = 0.5) -> SliceAsked:
    return SliceAsked(description=read_prompt(prompt).description, position=position)


def test_volumes_are_cut_at_the_plane_and_position_asked_for(tmp_path):
    # Index 0 runs to the right, 1 to the front, 2 upwards; 160 mm each.
    labels = np.zeros((40, 40, 40))
    labels[:, :, 30:] = LABEL["brain"]
    labels[:20, :, :10] = LABEL["bone"]
    mask = nifti(tmp_path / "m.nii.gz", labels, np.diag([4.0, 4.0, 4.0, 1.0]))
    high = load_conditions(32, mask=mask, wanted_slice=asked("axial CT of the head", 0.9))
    low = load_conditions(32, mask=mask, wanted_slice=asked("axial CT of the head", 0.1))
    front = load_conditions(32, mask=mask, wanted_slice=asked("coronal CT of the head"))
    assert high is not None
    assert low is not None
    assert front is not None
    assert high.stack[LABEL["brain"] - 1].all()
    # Smaller x of RAS+ is the patient's left: the picture's right half.
    assert low.stack[LABEL["bone"] - 1, :, 16:].all()
    assert not low.stack[LABEL["bone"] - 1, :, :16].any()
    assert front.stack[LABEL["brain"] - 1, :8].all()
    assert front.stack[LABEL["bone"] - 1, 24:, 16:].all()


def test_volumes_on_different_grids_meet_at_one_place(tmp_path):
    coarse = np.zeros((20, 20, 20))
    coarse[10:] = 1
    fine = np.zeros((80, 80, 80))
    fine[40:] = LABEL["organ"]
    fine[:, :, :10] = 0
    half = np.where(np.arange(20)[:, None, None] < 10, np.nan, coarse)
    # The same box of 160 mm, once stored from the other side.
    flipped = np.diag([-8.0, 8.0, 8.0, 1.0])
    flipped[:3, 3] = [156, 4, 4]
    straight = np.diag([2.0, 2.0, 2.0, 1.0])
    straight[:3, 3] = 1
    mask = nifti(tmp_path / "m.nii", fine[::-1], straight)
    partial = nifti(tmp_path / "p.nii", half, flipped)
    edges = nifti(tmp_path / "e.nii", 7 * coarse, flipped)
    found = load_conditions(
        32,
        mask=mask,
        partial=partial,
        edges=edges,
        wanted_slice=asked("axial T1 of the abdomen"),
        strengths=Strengths(edges=0.5, partial=0.25),
    )
    assert found is not None
    organ = found.stack[LABEL["organ"] - 1]
    assert organ.sum() == 32 * 16
    # A pixel that is partly free is free.
    known = found.stack[PARTIAL_KNOWN]
    assert known[:, 17:] == pytest.approx(0.25 * organ[:, 17:])
    assert not known[:, :16].any()
    assert found.stack[EDGES, :, 2:-2].max() == pytest.approx(0.5)
    assert (found.stack[EDGES] > 0.25) == pytest.approx(organ == 1)
    assert found.to_lps is not None


def test_a_dicom_segmentation_and_series_are_conditions(hospitals, tmp_path):
    [mask] = sorted(hospitals.rglob("segmentation.dcm"))[:1]
    series = next(path.parent for path in mask.parent.rglob("1.dcm"))
    words = asked("axial T1 of the head")
    found = load_conditions(64, mask=mask, wanted_slice=words)
    assert found is not None
    assert found.stack[LABEL["brain"] - 1].mean() > 0.05
    with pytest.raises(DataError, match="nothing is left to generate"):
        load_conditions(64, partial=series, wanted_slice=words)
    across = load_conditions(64, partial=series, wanted_slice=asked("coronal T1 of the head"))
    assert across is not None
    assert 0.1 < across.stack[PARTIAL_KNOWN].mean() < 1


def test_volumes_need_a_plane_and_a_slice_within_them(tmp_path):
    mask = nifti(tmp_path / "m.nii", np.zeros((10, 10, 10)), np.eye(4))
    with pytest.raises(ConfigurationError, match="names none"):
        load_conditions(32, mask=mask, wanted_slice=asked("CT of the head"))
    with pytest.raises(DataError, match="beyond the given volumes"):
        load_conditions(32, mask=mask, wanted_slice=asked("axial CT of the head", 0.9))
    wrong = nifti(tmp_path / "w.nii", np.full((10, 10, 10), 42), np.eye(4))
    with pytest.raises(DataError, match="label 42"):
        load_conditions(32, mask=wrong, wanted_slice=asked("axial CT of the head"))


@pytest.fixture(scope="module")
def base():
    return load_generator(shipped_base())


@pytest.mark.parametrize("kind", ["mask", "edges", "partial"])
def test_the_image_moves_as_each_condition_asks(base, kind):
    """Mirror a condition: the image follows, and with half the strength it follows less."""
    rng = np.random.default_rng(5)
    size = base.image_size
    [example] = sample_examples(rng, image_size=size, per_volume=1, body_part="chest")
    while example.description.modality != "CT":
        [example] = sample_examples(rng, image_size=size, per_volume=1, body_part="chest")
    image = example.image.copy()
    # Something that tells left from right.
    image[:, : size // 2] = image[:, : size // 2] * 0.5 + 0.4
    rows, columns = np.mgrid[:size, :size] * 64 // size
    left = columns < 40
    labels = np.zeros((size, size), np.uint8)
    labels[(rows >= 12) & (rows < 52) & (columns >= 8) & (columns < 56)] = LABEL["body"]
    labels[(rows >= 18) & (rows < 46) & (columns >= 12) & (columns < 30)] = LABEL["lung"]
    lines = edge_map(np.where(labels == LABEL["lung"], 1.0, -1.0).astype(np.float32))

    def stack(mirror: bool) -> np.ndarray:
        turn = (lambda array: array[:, ::-1]) if mirror else (lambda array: array)
        given = {"mask": {"mask": turn(labels)}, "edges": {"edges": turn(lines)}}
        given["partial"] = {"partial": turn(image), "known_pixels": turn(left)}
        return spatial_conditions((size, size), **given[kind])

    plain = np.zeros_like(stack(False))
    stacks = np.stack([plain, stack(False), stack(True), 0.5 * stack(False)])
    caption = "axial CT slice of the chest"
    drawn = sample(
        base, [caption] * 4, spatial=stacks, steps=6, guidance_scale=1.0,
        noise=torch.randn(1, *base.latent_shape, generator=torch.Generator().manual_seed(0)).expand(
            4, -1, -1, -1
        ),
    )  # fmt: skip
    free, one, other, weak = drawn
    assert np.abs(one - free).mean() > 0.01
    # Mirrored conditions give more nearly mirrored images than the same noise alone does.
    assert np.abs(one - other[:, ::-1]).mean() < np.abs(one - free[:, ::-1]).mean()
    assert np.abs(weak - free).mean() < np.abs(one - free).mean()


def test_what_a_prompt_asks_for_is_honoured_or_named(tiny_generator, tmp_path):
    prompt = "coronal CT slice of a healthy lung, 512x512, Hounsfield units calibrated, purple"
    result = generate(tiny_generator, "--prompt", prompt, "-n", 1, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "is read as 'coronal CT slice of the chest, no finding'" in result.output
    assert "512×512: the images are 32×32" in result.output
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
    vague = ("--prompt", "a head", "--anyway", "--format", form, "--out", tmp_path / "no")
    vague = generate(tiny_generator, *vague)
    assert vague.exit_code == 3
    assert "names none" in vague.output


def test_another_size_is_drawn_with_the_same_weights_and_lies_in_the_same_field(
    tiny_generator, tmp_path
):
    words = ("--prompt", "axial CT slice of the head, 64x64", "-n", 1, "--format", "dicom")
    spacing = {}
    for size in (32, 48, 64, 128):
        out = tmp_path / str(size)
        result = generate(tiny_generator, *words, "--size", size, "--out", out)
        assert result.exit_code == 0, result.output
        written = pydicom.dcmread(next(out.glob("*.dcm")))
        assert (written.Rows, written.Columns) == (size, size)
        spacing[size] = float(written.PixelSpacing[0])
        assert ("Not honoured: 64×64" in result.output) == (size != 64)
        assert ("Drawn at" in result.output) == (size != 32)
        finer = "pixels made 2 times finer"
        assert (finer in " ".join(result.output.split())) == (size == 128)
        assert (finer in (out / "manifest.json").read_text()) == (size == 128)
    assert [spacing[size] * size for size in spacing] == pytest.approx(
        [spacing[32] * 32] * 4, rel=1e-4
    )


def test_conditions_lead_images_of_another_size(tiny_generator, tmp_path):
    labels = np.zeros((32, 32))
    labels[8:24, 8:24] = LABEL["lesion"]
    volume = np.zeros((40, 40, 40))
    volume[:, :, 20:] = LABEL["brain"]
    masks = {
        "picture": picture(tmp_path / "m.png", labels, "L"),
        "volume": nifti(tmp_path / "m.nii.gz", volume, np.diag([4.0, 4.0, 4.0, 1.0])),
    }
    corners = {}
    for kind, size in (("picture", 64), ("volume", 32), ("volume", 64), ("volume", 128)):
        out = tmp_path / f"{kind}-{size}"
        words = ("--size", size, "--mask", masks[kind], "--format", "nifti", "--out", out)
        result = generate(tiny_generator, *PROMPTS[:2], "-n", 1, *words)
        assert result.exit_code == 0, result.output
        written = nibabel.load(next(out.glob("*.nii.gz")))
        assert written.shape[:2] == (size, size)
        # The outer corner of the first pixel, which is the field's.
        corners[kind, size] = written.affine @ [-0.5, -0.5, 0, 1]
    for size in (64, 128):
        assert corners["volume", size] == pytest.approx(corners["volume", 32], abs=1e-3)


@pytest.mark.parametrize("size", [8, 36, 68, 1000])
def test_a_size_that_cannot_be_made_is_refused(tiny_generator, tmp_path, size):
    result = generate(tiny_generator, *PROMPTS, "--size", size, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "It draws multiples of 8 from 16 to 64 pixels" in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()
