"""Made-up chests whose anatomy and finding are known."""

from __future__ import annotations

import numpy as np
from fedscan.model.conditions import LABEL
from fedscan.model.description import Description
from fedscan.model.example import Example

SIZE = 32


def chest(rng, finding="no finding", *, lungs=2):
    """A body with lungs, and on the right of the picture a spot with pneumonia.

    Returns:
        The image ``[32, 32]`` in [-1, 1] and its label map.
    """
    rows, columns = np.mgrid[:SIZE, :SIZE]
    middle = 15.5 + rng.normal(0, 0.7)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[((rows - 15.5) / 13) ** 2 + ((columns - middle) / 14) ** 2 < 1] = LABEL["body"]
    for number in range(lungs):
        centre = middle + (-6 if number == 0 else 6)
        height = 8 + rng.normal(0, 0.4)
        mask[((rows - 15.5) / height) ** 2 + ((columns - centre) / 4) ** 2 < 1] = LABEL["lung"]
    image = np.full((SIZE, SIZE), -1.0)
    image[mask == LABEL["body"]] = 0.5
    image[mask == LABEL["lung"]] = -0.5
    if finding == "pneumonia":
        row = rng.uniform(11, 19)
        image += 0.7 * np.exp(-((rows - row) ** 2 + (columns - middle - 6) ** 2) / 8)
    image += rng.normal(0, 0.12, image.shape)
    return np.clip(image, -1, 1).astype(np.float32), mask


def pairs(rng, prefix, patients):
    for number in range(patients):
        word = ("no finding", "pneumonia")[number % 2]
        description = Description(modality="X-ray", body_part="chest", view="PA", finding=word)
        for _ in range(2):
            image, mask = chest(rng, word)
            yield f"{prefix}{number}", Example(image=image, description=description, mask=mask)
