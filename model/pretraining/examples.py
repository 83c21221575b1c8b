"""The images a base is trained on, held compactly in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...common.files import replacing
from ...common.progress import Progress, no_progress
from ...errors import DataError
from ..example import Example


@dataclass(frozen=True)
class ExampleBank:
    """Many examples as arrays.

    Attributes:
        images: float16 ``[N, H, W]`` in [-1, 1].
        masks: uint8 ``[N, H, W]``; all zero where an example has no mask.
        captions: ``[N]`` strings.
        positions: float32 ``[N]``.
        chances: float64 ``[N]``, how often each is drawn; their sum is 1.
    """

    images: NDArray[np.float16]
    masks: NDArray[np.uint8]
    captions: NDArray[np.str_]
    positions: NDArray[np.float32]
    chances: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Height and width of the images in pixels."""
        return self.images.shape[1]

    def halved(self) -> ExampleBank:
        """The same images at half the size: pixels are means of four, masks every second."""
        count, size = len(self), self.size // 2
        parts = (self.images[start : start + 512] for start in range(0, count, 512))
        means = [
            part.reshape(-1, size, 2, size, 2).mean((2, 4), dtype=np.float32).astype(np.float16)
            for part in parts
        ]
        return replace(self, images=np.concatenate(means), masks=self.masks[:, ::2, ::2].copy())

    def save(self, path: Path) -> None:
        """Write the bank to one ``.npz`` file, whole or not at all."""
        # To an open file: a path that does not end in .npz would be given that ending.
        with replacing(path) as target, target.open("wb") as file:
            np.savez(
                file,
                images=self.images,
                masks=self.masks,
                captions=self.captions,
                positions=self.positions,
                chances=self.chances,
            )

    @classmethod
    def load(cls, path: Path) -> ExampleBank:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: If the file is missing or is not a bank.
        """
        try:
            with np.load(path) as arrays:
                images = arrays["images"]
                alike = np.full(len(images), 1 / len(images))
                return cls(
                    images=images,
                    masks=arrays["masks"],
                    captions=arrays["captions"],
                    positions=arrays["positions"],
                    # Banks from before sources had weights draw every image alike.
                    chances=arrays.get("chances", alike),
                )
        except (OSError, KeyError, ValueError) as error:
            raise DataError(
                f"{path} is not a bank of pre-training images.",
                hint="Delete it; pretrain makes it again.",
            ) from error


def join_banks(banks: Sequence[tuple[float, ExampleBank]]) -> ExampleBank:
    """Put banks together, so that each is drawn from as often as its weight says.

    Args:
        banks: (weight, bank), at least one weight above zero.
    """
    total = sum(weight for weight, _ in banks)
    return ExampleBank(
        images=np.concatenate([bank.images for _, bank in banks]),
        masks=np.concatenate([bank.masks for _, bank in banks]),
        captions=np.concatenate([bank.captions for _, bank in banks]),
        positions=np.concatenate([bank.positions for _, bank in banks]),
        chances=np.concatenate([weight / total * bank.chances for weight, bank in banks]),
    )


def bank_of(
    examples: Sequence[Example], patients: Sequence[str], *, temperature: float = 0.5
) -> ExampleBank:
    """Make a bank in which no patient crowds out the others.

    Args:
        examples: The images with what they show, at least one.
        patients: Whose each is. One with ``n`` images is drawn ``n ** temperature`` times as often
            as one with a single image.
        temperature: 1 draws every image alike, 0 every patient.
    """
    empty = np.zeros(examples[0].image.shape, np.uint8)
    counts = Counter(patients)
    chances = np.array([counts[each] ** (temperature - 1.0) for each in patients])
    return ExampleBank(
        images=np.stack([each.image for each in examples]).astype(np.float16),
        masks=np.stack([empty if each.mask is None else each.mask for each in examples]),
        captions=np.array([each.description.caption() for each in examples]),
        positions=np.array([each.position for each in examples], np.float32),
        chances=chances / chances.sum(),
    )


def fill_bank(
    draw: Callable[[np.random.Generator], list[Example]],
    count: int,
    *,
    seed: int,
    on_progress: Progress = no_progress,
) -> ExampleBank:
    """Draw examples until ``count`` are there.

    Args:
        draw: Makes the examples of one random made-up patient.
        count: How many examples to collect.
        seed: Seed of the random patients.
        on_progress: Told how many examples are there.
    """
    rng = np.random.default_rng(seed)
    images, masks = np.empty((0, 0, 0), np.float16), np.empty((0, 0, 0), np.uint8)
    captions: list[str] = []
    positions = np.zeros(count, np.float32)
    while (start := len(captions)) < count:
        # Put into the bank's form at once: as they are drawn they take three times its memory.
        for number, example in enumerate(draw(rng)[: count - start], start=start):
            if not number:
                images = np.empty((count, *example.image.shape), np.float16)
                masks = np.zeros((count, *example.image.shape), np.uint8)
            images[number], positions[number] = example.image, example.position
            if example.mask is not None:
                masks[number] = example.mask
            captions.append(example.description.caption())
        on_progress("examples", len(captions), count)
    return ExampleBank(
        images=images,
        masks=masks,
        captions=np.array(captions),
        positions=positions,
        chances=np.full(count, 1 / count),
    )
