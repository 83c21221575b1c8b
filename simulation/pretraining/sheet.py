"""A sheet of samples, drawn every so often: what a base in the making has learnt so far."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from ...common.files import replacing
from ...imaging.writing.images import save_image
from ...model.generator import Generator
from ...model.pretraining.examples import ExampleBank
from ...model.sampling import sample

_COLUMNS, _ROWS = 6, 4


def write_sheet(generator: Generator, out: Path) -> None:
    """Draw one sample of each of the commonest captions that ``out`` trains on.

    Args:
        generator: As it is now.
        out: The folder of the training; gets ``samples.png``.
    """
    bank = ExampleBank.load(out / "examples.npz")
    common = [str(each) for each, _ in Counter(bank.captions.tolist()).most_common(_COLUMNS * _ROWS)]
    images = sample(generator, common, seed=0)
    side = images.shape[-1]
    sheet = np.full((_ROWS * side, _COLUMNS * side), -1.0, np.float32)
    for number, image in enumerate(images):
        row, column = divmod(number, _COLUMNS)
        sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = image
