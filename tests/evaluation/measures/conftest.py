import numpy as np
import pytest
from fedscan.evaluation.measures.image_sets import ImageSet, RealSets
from fedscan.model.description import Description
from fedscan.model.example import Example

SIZE = 32


def picture(rng, word):
    """A disc on the left for "no finding", on the right for "pneumonia", plus noise."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    centre = 10 if word == "no finding" else 21
    disc = np.hypot(rows - 15 + rng.normal(), columns - centre + rng.normal()) < 6
    return np.clip(disc * 1.2 - 0.6 + rng.normal(0, 0.15, (SIZE, SIZE)), -1, 1).astype(np.float32)


def pairs(rng, prefix, patients):
    for number in range(patients):
        word = ("no finding", "pneumonia")[number % 2]
        description = Description(
            modality="X-ray",
            body_part="chest",
            view="PA",
            finding=word,
            sex=("female", "male")[number // 2 % 2],
        )
        for _ in range(1 + number % 3):
            image = picture(rng, word)
            position = float(rng.random())
            yield (
                f"{prefix}{number}",
                Example(image=image, description=description, position=position),
            )


@pytest.fixture(scope="session")
def real():
    rng = np.random.default_rng(0)
    return RealSets(
        train=ImageSet.of(pairs(rng, "train", 24)), holdout=ImageSet.of(pairs(rng, "held", 16))
    )
