"""The command, the function and the pipeline draw the same image for the same seed, marked."""

from __future__ import annotations

from pathlib import Path

import fedscan
import numpy as np
from fedscan.cli.main import app
from fedscan.model.marking import NOTICE
from fedscan.model.pipeline import FedscanPipeline
from PIL import Image
from typer.testing import CliRunner

#: Not as captions are written: it has to be read.
PROMPT = "CT of the head, axial"


def test_one_seed_is_one_image_however_it_is_asked_for(
    tiny_generator: Path, tmp_path: Path
) -> None:
    words = ("--prompt", PROMPT, "-n", "1", "--seed", "5", "--out", str(tmp_path / "command"))
    result = CliRunner().invoke(app, ["generate", str(tiny_generator), *words, "--anyway"])
    assert result.exit_code == 0, result.output
    asked = fedscan.GenerateRequest(prompts=[PROMPT], count=1, seed=5, anyway=True)
    fedscan.generate(fedscan.load_generator(tiny_generator), asked).write(tmp_path / "function")
    pipeline = FedscanPipeline.from_pretrained(tiny_generator / "generator")
    (tmp_path / "pipeline").mkdir()
    pipeline(PROMPT, seed=5).images[0].save(tmp_path / "pipeline" / "image.png")
    pixels = []
    for folder in ("command", "function", "pipeline"):
        (path,) = [one for one in (tmp_path / folder).glob("*.png") if "sheet" not in one.name]
        with Image.open(path) as picture:
            pixels.append(np.asarray(picture))
            assert (picture.info["Synthetic"], picture.info["Disclaimer"]) == ("yes", NOTICE)
    np.testing.assert_array_equal(pixels[0], pixels[1])
    np.testing.assert_array_equal(pixels[0], pixels[2])


def test_a_jpeg_of_the_pipeline_says_it_too(tiny_generator: Path, tmp_path: Path) -> None:
    pipeline = FedscanPipeline.from_pretrained(tiny_generator / "generator")
    pipeline(PROMPT, num_inference_steps=1).images[0].save(tmp_path / "image.jpg")
    with Image.open(tmp_path / "image.jpg") as picture:
        assert NOTICE.encode() in picture.info["comment"]
