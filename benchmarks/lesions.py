"""Whether a lesion that a mask asks for is drawn, and drawn as its contrast shows it.

Run: python benchmarks/lesions.py [MODEL] [--images 48] [--gallery FILE]

Axial slices of parametric heads that no generator trained on, each with a lesion in its mask. The
generator is asked twice with the same noise: for the mask as it is, and for the same without the
lesion. Printed is by how much the lesion's place differs from the brain around it (the range is 2)
in the made-up slices themselves and in both answers, in how many images the lesion moves its place
in the direction of that contrast (chance: 50 %), and by how much it moves the rest.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from fedscan.model.conditions import LABEL, spatial_conditions
from fedscan.model.example import Example
from fedscan.model.generator import Generator
from fedscan.model.marking import stack, strip
from fedscan.model.sampling import sample
from fedscan.model.storage import load_generator, shipped_base
from fedscan.phantoms.parametric import sample_examples
from numpy.typing import NDArray

Floats = NDArray[np.float32]
#: Lesions of some pixels, but not so large that no brain is left around.
_PIXELS = (12, 200)
_POSITIONS = (0.4, 0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=shipped_base())
    parser.add_argument("--images", type=int, default=48, help="Slices of each contrast.")
    parser.add_argument("--modality", nargs="+", default=["T1-weighted MR", "T2-weighted MR"])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--guidance", type=float, default=1.5)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--gallery", type=Path, help="PNG of some slices and both answers.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = load_generator(options.model)
    print("| Contrast | phantoms | asked for | not asked for | right direction | elsewhere |")
    print("|---|---|---|---|---|---|")
    views = []
    for modality in options.modality:
        stream = with_lesions(generator.image_size, modality, options.seed)
        slices = [next(stream) for _ in range(options.images)]
        from_masks, healthy = answers(generator, slices, options)
        lesions = [each.mask == LABEL["lesion"] for each in slices]
        real, with_lesion, without_lesion = (
            np.array([contrast(*pair) for pair in zip(images, slices, strict=True)])
            for images in ([each.image for each in slices], from_masks, healthy)
        )
        right = ((with_lesion - without_lesion) * np.sign(real) > 0).mean()
        difference = np.abs(from_masks - healthy)
        elsewhere = np.mean(
            [m[~lesion].mean() for m, lesion in zip(difference, lesions, strict=True)]
        )
        print(
            f"| {modality} | {real.mean():+.2f} | {with_lesion.mean():+.2f} "
            f"| {without_lesion.mean():+.2f} | {right:.0%} | {elsewhere:.2f} |",
            flush=True,
        )
        views += [
            (title, strip(images[:8], label="made-up bodies", synthetic=True))
            for title, images in (
                (f"{modality}: parametric phantoms", np.stack([each.image for each in slices])),
                ("generated from their masks", from_masks),
                ("the same without the lesions in the masks", healthy),
            )
        ]
    if options.gallery:
        stack(views).save(options.gallery, optimize=True)


def with_lesions(size: int, modality: str, seed: int) -> Iterator[Example]:
    """Axial slices of made-up heads through a lesion."""
    rng = np.random.default_rng(seed)
    while True:
        for each in sample_examples(rng, image_size=size, per_volume=8, body_part="head"):
            pixels = 0 if each.mask is None else (each.mask == LABEL["lesion"]).sum()
            if (
                each.description.plane == "axial"
                and each.description.modality == modality
                and _PIXELS[0] <= pixels <= _PIXELS[1]
                and _POSITIONS[0] < each.position < _POSITIONS[1]
            ):
                yield each


def answers(
    generator: Generator, slices: list[Example], options: argparse.Namespace
) -> tuple[Floats, Floats]:
    """What the generator makes of the masks, and of the masks without their lesions."""
    both = []
    for finding in ("lesion", "no finding"):
        masks = [each.mask for each in slices if each.mask is not None]
        if finding != "lesion":
            masks = [np.where(m == LABEL["lesion"], LABEL["brain"], m) for m in masks]
        description = slices[0].description
        both.append(
            sample(
                generator,
                [f"axial {description.modality} slice of the head, {finding}"] * len(slices),
                positions=[each.position for each in slices],
                spatial=np.stack(
                    [spatial_conditions(m.shape, mask=m.astype(np.uint8)) for m in masks]
                ),
                steps=options.steps,
                guidance_scale=options.guidance,
                seed=options.seed,
            )
        )
    return both[0], both[1]


def contrast(image: Floats, example: Example) -> float:
    """Mean of an image where the lesion lies, over that of the brain."""
    assert example.mask is not None
    lesion, brain = example.mask == LABEL["lesion"], example.mask == LABEL["brain"]
    return float(image[lesion].mean() - image[brain].mean())


if __name__ == "__main__":
    main()
