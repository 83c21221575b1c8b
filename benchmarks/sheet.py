"""A sheet of what a base draws: films, slices, conditions, at one size or several, in one picture.

Run: python benchmarks/sheet.py [MODEL] [--size 128 --size 256] [-n 6] [--out sheet.png]

Mask, edges and partial image are those of a made-up head that was drawn for this alone; it stands
first in its row.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from fedscan.model.condition_sampling import edge_map
from fedscan.model.conditions import LABEL, spatial_conditions
from fedscan.model.example import Example
from fedscan.model.generator import Generator
from fedscan.model.marking import png_text, stack, strip
from fedscan.model.sampling import sample
from fedscan.model.storage import load_generator, shipped_base
from fedscan.phantoms.parametric import sample_examples
from numpy.typing import NDArray

Images = NDArray[np.float32]

_CAPTIONS = {
    "chest X-ray, PA view, no finding": 0.5,
    "chest X-ray, AP view, no finding": 0.5,
    "chest X-ray, PA view, pneumonia": 0.5,
    "chest X-ray, AP view, pneumonia": 0.5,
    "hand X-ray, no finding": 0.5,
    "hand X-ray, fracture": 0.5,
    "axial CT slice of the chest": 0.5,
    "axial T1-weighted MR slice of the head": 0.6,
    "axial T2-weighted MR slice of the head": 0.6,
    "axial FLAIR MR slice of the head": 0.6,
    "sagittal T2-weighted MR slice of the lumbar spine": 0.5,
}
_LED = "axial T2-weighted MR slice of the head, lesion"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", type=Path, default=shipped_base())
    parser.add_argument("--size", action="append", type=int)
    parser.add_argument("-n", "--count", type=int, default=6)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("sheet.png"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    generator = load_generator(options.model)
    strips = []
    for size in options.size or [generator.image_size]:
        for caption, position in _CAPTIONS.items():
            images = draw(generator, caption, position, None, size, options)
            strips.append(
                (f"{caption}, {size}", strip(images, label=f"{size} pixels", synthetic=True))
            )
        strips += led(generator, size, options)
    stack(strips).save(options.out, pnginfo=png_text({}, synthetic=True))


def draw(
    generator: Generator,
    caption: str,
    position: float,
    spatial: Images | None,
    size: int,
    options: argparse.Namespace,
) -> Images:
    """Draw a row."""
    count = options.count
    return sample(
        generator,
        [caption] * count,
        positions=[position] * count,
        spatial=None if spatial is None else np.stack([spatial] * count),
        size=size,
        guidance_scale=options.guidance,
        steps=options.steps,
        seed=options.seed,
        batch_size=8,
    )


def led(generator: Generator, size: int, options: argparse.Namespace) -> list[tuple[str, object]]:
    """Rows that follow a mask with a lesion, edges, and a half that is given."""
    head = head_with_lesion(size)
    left = np.arange(size)[None].repeat(size, 0) < size // 2
    conditions_by_name = {
        "mask": {"mask": head.mask},
        "edges": {"edges": edge_map(head.image)},
        "partial image": {"partial": head.image, "known_pixels": left},
    }
    pictures = {
        "mask": head.mask.astype(np.float32) / len(LABEL) * 2 - 1,
        "edges": edge_map(head.image) * 2 - 1,
        "partial image": np.where(left, head.image, -1.0),
    }
    strips = []
    for name, conditions in conditions_by_name.items():
        stack_of_conditions = spatial_conditions((size, size), **conditions)
        images = draw(generator, _LED, head.position, stack_of_conditions, size, options)
        row = np.concatenate([pictures[name][None].astype(np.float32), images])
        strips.append((f"{_LED}, {name}, {size}", strip(row, label=name, synthetic=True)))
    return strips


def head_with_lesion(size: int) -> Example:
    """A made-up axial T2 slice of a head whose mask has a lesion."""
    rng = np.random.default_rng(11)
    while True:
        for example in sample_examples(rng, image_size=size, per_volume=8, body_part="head"):
            what = example.description
            is_t2 = what.modality == "T2-weighted MR" and what.plane == "axial"
            if is_t2 and example.mask is not None and (example.mask == LABEL["lesion"]).any():
                return example


if __name__ == "__main__":
    main()
