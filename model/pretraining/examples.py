"""The images a base is trained on, held compactly in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    """

    images: NDArray[np.float16]
    masks: NDArray[np.uint8]
    captions: NDArray[np.str_]
    positions: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)

    def save(self, path: Path) -> None:
        """Write the bank to one ``.npz`` file, whole or not at all."""
        # To an open file: a path that does not end in .npz would be given that ending.
        with replacing(path) as draft, draft.open("wb") as file:
            np.savez(
                file,
                images=self.images,
                masks=self.masks,
                captions=self.captions,
                positions=self.positions,
            )

    @classmethod
    def load(cls, path: Path) -> ExampleBank:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: If the file is missing or is not a bank.
        """
        try:
            with np.load(path) as arrays:
                return cls(
                    arrays["images"], arrays["masks"], arrays["captions"], arrays["positions"]
                )
        except (OSError, KeyError, ValueError) as error:
            raise DataError(
                f"{path} is not a bank of pre-training images.",
                hint="Delete it; pretrain makes it again.",
            ) from error


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
    examples: list[Example] = []
    while len(examples) < count:
        examples += draw(rng)
        on_progress("examples", min(len(examples), count), count)
    examples = examples[:count]
    empty = np.zeros(examples[0].image.shape, np.uint8)
    return ExampleBank(
        np.stack([example.image for example in examples]).astype(np.float16),
        np.stack([empty if example.mask is None else example.mask for example in examples]),
        np.array([example.description.caption() for example in examples]),
        np.array([example.position for example in examples], np.float32),
    )
