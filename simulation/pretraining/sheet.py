"""A sheet of samples, drawn every so often: what a base in the making has learnt so far."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ...common.files import replacing
from ...model.generator import Generator
from ...model.marking import png_text, stack, strip
from ...model.pretraining.examples import ExampleBank
from ...model.sampling import sample

_CAPTIONS = 8
_EACH = 4


def write_sheet(generator: Generator, out: Path) -> None:
    """Draw four samples of each of the commonest captions that ``out`` trains on.

    Args:
        generator: As it is now.
        out: The folder of the training; gets ``samples.png``.
    """
    captions = ExampleBank.load(out / "examples.npz").captions.tolist()
    common = [str(caption) for caption, _ in Counter(captions).most_common(_CAPTIONS)]
    images = sample(generator, [caption for caption in common for _ in range(_EACH)], seed=0)
    strips = [
        (caption, strip(images[_EACH * row : _EACH * (row + 1)], label="sample", synthetic=True))
        for row, caption in enumerate(common)
    ]
    with replacing(out / "samples.png") as unfinished:
        stack(strips).save(unfinished, "PNG", pnginfo=png_text({}, synthetic=True))
