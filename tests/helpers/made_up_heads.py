"""Made-up heads that differ from patient to patient, and training on them as sites train."""

from __future__ import annotations

import copy

import numpy as np
from fedscan.evaluation.canaries.rehearsal import ImageLoss, rehearse
from fedscan.evaluation.measures.image_sets import ImageSet
from fedscan.model.description import Description
from fedscan.model.generator import Generator
from fedscan.model.settings import TrainableSettings
from fedscan.model.trainable import select_trainable
from fedscan.privacy.mechanism import SubsampledGaussian

SIDE = 32
STEPS = 48
SAMPLE_RATE = 0.5


def patients(prefix: str, count: int, seed: int) -> ImageSet:
    """Patients with one image each, of bodies that differ in shape and in what is inside."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    images = []
    for _ in range(count):
        height, width = rng.uniform(0.5, 0.95, 2)
        image = np.where((rows / height) ** 2 + (columns / width) ** 2 < 1, 0.0, -1.0)
        for _ in range(4):
            row, column = rng.uniform(-0.5, 0.5, 2)
            inside = (rows - row) ** 2 + (columns - column) ** 2 < rng.uniform(0.01, 0.08)
            image = np.where(inside, rng.uniform(-0.8, 1.0), image)
        images.append(image + rng.normal(0, 0.02, image.shape))
    return ImageSet(
        images=np.clip(np.stack(images), -1, 1).astype(np.float32),
        descriptions=tuple(
            Description(
                modality="CT", body_part="head", plane="axial", sex=("female", "male")[i % 2]
            )
            for i in range(count)
        ),
        positions=rng.random(count).astype(np.float32),
        patients=tuple(f"{prefix}/{number}" for number in range(count)),
    )


def trained(start: Generator, images: ImageSet, *, noise: float) -> Generator:
    """Train a copy as a site would, with noise of so many clip norms or without any."""
    generator = copy.deepcopy(start)
    parameters = select_trainable(generator, TrainableSettings(subset="all"))
    rehearse(
        parameters,
        ImageLoss.of(generator, images, draws=8),
        mechanism=SubsampledGaussian(SAMPLE_RATE, noise, STEPS) if noise else None,
        sample_rate=SAMPLE_RATE,
        steps=STEPS,
        expected_patients=float(images.patient_count),
        clip_norm=0.1,
        learning_rate=4e-3,
        key=bytes(32),
    )
    return generator
