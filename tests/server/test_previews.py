"""Sample images between rounds: marked, comparable, and never in the way of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fedscan.model.generator import Generator, build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.server.checkpoint import FederationState
from fedscan.server.previews import Previews, preview_file, preview_rounds
from PIL import Image


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(0)
    return build_generator(GeneratorSettings(size="tiny"))


def state(number: int) -> FederationState:
    return FederationState(round=number, model={})


class Clock:
    """Time that passes only while something is drawn."""

    def __init__(self, drawing: float) -> None:
        self.now, self.drawing = 0.0, drawing

    def __call__(self) -> float:
        return self.now

    def load(self, reached: FederationState) -> None:
        self.now += self.drawing


def previews(folder: Path, generator: Generator, clock: Clock, prompts: list[str]) -> Previews:
    return Previews(
        folder, prompts=prompts, generator=generator, load=clock.load, seed=3, clock=clock
    )


PROMPTS = ["chest X-ray, PA view", "axial CT slice of the head"]


def test_pictures_say_that_they_are_synthetic(tmp_path: Path, generator: Generator) -> None:
    draw = previews(tmp_path / "previews", generator, Clock(1.0), PROMPTS)
    draw(state(1), False)
    with Image.open(preview_file(tmp_path / "previews", 1)) as image:
        assert image.text["Synthetic"] == "yes"
        assert "not for diagnosis" in image.text["Disclaimer"]


def test_the_same_model_draws_the_same_pictures(tmp_path: Path, generator: Generator) -> None:
    draw = previews(tmp_path, generator, Clock(0.0), PROMPTS[:1])
    draw(state(1), False)
    draw(state(2), False)
    first, second = (np.asarray(Image.open(preview_file(tmp_path, n))) for n in (1, 2))
    # All but the band below, which names the round.
    np.testing.assert_array_equal(first[:-20], second[:-20])


def test_drawing_takes_at_most_a_twentieth_of_the_time_but_the_last_round_is_drawn(
    tmp_path: Path, generator: Generator
) -> None:
    clock = Clock(10.0)
    draw = previews(tmp_path, generator, clock, PROMPTS[:1])
    for number in range(1, 9):
        draw(state(number), number == 8)
        clock.now += 60.0
    assert preview_rounds(tmp_path) == [1, 5, 8]


def test_without_prompts_nothing_is_drawn(tmp_path: Path, generator: Generator) -> None:
    previews(tmp_path / "previews", generator, Clock(1.0), [])(state(1), True)
    assert not (tmp_path / "previews").exists()


def test_a_folder_that_cannot_be_written_ends_nothing(
    tmp_path: Path, generator: Generator, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "previews").write_text("a file is in the way")
    previews(tmp_path / "previews", generator, Clock(1.0), PROMPTS[:1])(state(1), True)
    assert "No sample images of round 1" in caplog.text


def test_each_round_that_is_drawn_is_measured(tmp_path: Path, generator: Generator) -> None:
    measured: list[int] = []
    draw = Previews(
        tmp_path,
        prompts=PROMPTS[:1],
        generator=generator,
        load=lambda reached: None,
        seed=3,
        measure=measured.append,
        clock=Clock(0.0),
    )
    draw(state(1), False)
    draw(state(2), True)
    assert measured == [1, 2]
