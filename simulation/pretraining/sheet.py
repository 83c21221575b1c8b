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


def write_sheet(generator: Generator, bank: ExampleBank, path: Path) -> None:
    """Draw four samples of each of the commonest captions of what is trained on.

    Args:
        generator: As it is now.
        bank: What it trains on.
        path: The picture to write.
    """
    counts = Counter(bank.captions.tolist())
    common = [str(caption) for caption, _ in counts.most_common(_CAPTIONS)]
    images = sample(generator, [caption for caption in common for _ in range(_EACH)], seed=0)
    strips = [
        (caption, strip(images[_EACH * row : _EACH * (row + 1)], label="sample", synthetic=True))
        for row, caption in enumerate(common)
    ]
    with replacing(path) as target:
        stack(strips).save(target, "PNG", pnginfo=png_text({}, synthetic=True))
