import numpy as np
import pytest
from fedscan.evaluation.measures.gallery import write_closest, write_gallery
from fedscan.evaluation.measures.prompts import plan_prompts
from fedscan.evaluation.measures.settings import EvaluationSettings
from fedscan.evaluation.measures.tasks import choose_tasks
from fedscan.model.marking import NOTICE, strip, to_grey
from PIL import Image


@pytest.fixture
def plan(real):
    settings = EvaluationSettings(samples=16, samples_per_class=8, gallery_columns=3)
    return plan_prompts(real, choose_tasks(real, min_patients_per_class=4), settings)


def write(folder, plan, real, show_real=True):
    shape = (len(plan.gallery_prompts), 32, 32)
    made = {"base": np.zeros(shape, np.float32), "<b>": np.ones(shape, np.float32)}
    return write_gallery(folder, plan, real.holdout, made, show_real=show_real)


def test_synthetic_files_say_so_and_real_ones_do_not(tmp_path, plan, real):
    groups = write(tmp_path, plan, real)
    assert [strip.source for strip in groups[0].strips] == ["real", "base", "<b>"]
    for group in groups:
        assert len(group.captions) == 3
        for part in group.strips:
            texts = Image.open(tmp_path / part.file).text
            assert (texts.get("Synthetic") == "yes") == part.synthetic
            assert (texts.get("Disclaimer") == NOTICE) == part.synthetic
            assert texts["Prompts"].split("\n") == list(group.captions)
    sheets = sorted(path.name for path in tmp_path.glob("contact-sheet-*"))
    assert len(sheets) == 2
    assert all(Image.open(tmp_path / name).text["Synthetic"] == "yes" for name in sheets)


def test_columns_stand_under_the_real_image_of_their_prompt(tmp_path, plan, real):
    groups = write(tmp_path, plan, real)
    row = Image.open(tmp_path / groups[0].strips[0].file).convert("L")
    wanted = to_grey(real.holdout.images[plan.gallery[0][1]]).resize((128, 128), 3)
    start = 3 + 128 + 4
    assert np.array_equal(np.array(row.crop((start, 3, start + 128, 131))), np.array(wanted))


def test_closest_images_stand_over_their_training_images(tmp_path):
    images = np.zeros((2, 64, 64), np.float32)
    group = write_closest(tmp_path, "base", ("a", "b"), images, images + 0.5)
    assert [(part.source, part.synthetic) for part in group.strips] == [
        ("base", True),
        ("training", False),
    ]
    made, real = (Image.open(tmp_path / part.file) for part in group.strips)
    assert made.text["Synthetic"] == "yes"
    assert "Synthetic" not in real.text
    assert made.getpixel((64, 64))[0] < real.getpixel((64, 64))[0]


def test_without_real_images_none_is_written(tmp_path, plan, real):
    groups = write(tmp_path, plan, real, show_real=False)
    assert all(part.synthetic for group in groups for part in group.strips)
    assert not list(tmp_path.glob("*-real.png"))


def test_the_mark_is_in_the_pixels():
    images = np.zeros((2, 32, 32), np.float32)
    synthetic = np.array(strip(images, label="x", synthetic=True).convert("RGB"))
    real = np.array(strip(images, label="x", synthetic=False).convert("RGB"))
    assert synthetic.shape == real.shape
    corner = synthetic[0, 0].astype(int)
    assert corner[0] - corner[2] > 100  # orange
    assert abs(int(real[0, 0, 0]) - int(real[0, 0, 2])) < 30  # grey
    wide = strip(images, label="x", synthetic=True, columns=4)
    assert wide.width == 4 * 132 - 4 + 6
    assert wide.getpixel((wide.width - 1, 0))[3] == 0


def test_grey_levels_span_the_range_and_clip():
    ramp = np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]], np.float32)
    assert np.array(to_grey(ramp)).tolist() == [[0, 0, 128, 255, 255]]
