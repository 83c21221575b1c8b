"""Made-up heads that differ from patient to patient, and training on them as sites train."""

from __future__ import annotations

import numpy as np
from fedscan.evaluation.canaries.image_rows import image_loss
from fedscan.evaluation.canaries.rehearsal import SiteTraining, open_copy, rehearse
from fedscan.evaluation.measures.image_sets import ImageSet
from fedscan.model.description import Description
from fedscan.model.generator import Generator
from fedscan.model.patient_loss import LossSettings
from fedscan.model.settings import TrainableSettings
from fedscan.privacy.descent import DescentSettings
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.settings import PrivacySettings

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


def trained(
    start: Generator,
    images: ImageSet,
    *,
    noise: float,
    subset: str = "all",
    steps: int = STEPS,
    key: bytes = bytes(32),
) -> Generator:
    """Train a copy as a site would, with noise of so many clip norms or without any."""
    training = SiteTraining(
        privacy=PrivacySettings(enabled=noise > 0, clip_norm=0.1, sample_rate=SAMPLE_RATE),
        trainable=TrainableSettings(subset=subset),
        loss=LossSettings(draws=8),
        descent=DescentSettings(learning_rate=4e-3),
        round_steps=steps,
        rounds=1,
    )
    generator, parameters = open_copy(start, training)
    rehearse(
        parameters,
        image_loss(generator, images, training.loss),
        training,
        mechanism=SubsampledGaussian(SAMPLE_RATE, noise, steps) if noise else None,
        steps=steps,
        expected_patients=float(images.patient_count),
        key=key,
    )
    return generator
