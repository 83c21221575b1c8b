"""How well patients' gradients agree: the part of them that a sum over patients keeps."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from ..client.data.dataset import SiteDataset
from ..client.workspace.training_settings import loss_settings
from ..common.toml_settings import validated
from ..config.study import Study
from ..evaluation.canaries.image_rows import image_loss
from ..evaluation.measures.image_sets import ImageSet
from ..imaging.settings import DataSettings
from ..model.generator import Generator
from ..model.trainable import select_trainable
from ..phantoms.hospital import write_hospitals
from ..phantoms.settings import PhantomSettings
from ..privacy.engines import choose_engine
from ..privacy.stream import SecretStream

#: Made-up patients whose gradients are measured, and images of each.
_PATIENTS, _IMAGES = 48, 4


def measured_agreement(study: Study, base: Generator) -> float:
    """Return the length of made-up patients' mean clipped gradient, in clip norms.

    Gradients of two halves are multiplied with each other, so that what is particular to a few
    patients is not taken for what all share.

    Args:
        study: Says what trains, the clip norm and the draws of a patient's loss.
        base: The generator it begins with; it is left with the study's trained parameters.
    """
    images = made_up_patients(base.image_size, study.seed)
    loss = image_loss(base, images, loss_settings(study.local, study.privacy))
    parameters = select_trainable(base, study.trainable)
    engine = choose_engine("auto", parameters, loss)
    stream = SecretStream(hashlib.sha256(b"plan").digest(), "gradients of made-up patients")
    half = _PATIENTS // 2
    first, second = (
        engine.clipped_sum(parameters, patients, loss, study.privacy.clip_norm, stream)
        / (half * study.privacy.clip_norm)
        for patients in (range(half), range(half, _PATIENTS))
    )
    return float((first @ second).clamp_min(0).sqrt())


def made_up_patients(image_size: int, seed: int, count: int = _PATIENTS) -> ImageSet:
    """Return heads of a kind that no base is trained on, as a hospital has them.

    What a base knows already would have no signal.

    Args:
        image_size: Side of the images in pixels.
        seed: Seed of the patients.
        count: How many patients.
    """
    values = {
        "patients": (count,),
        "paired_share": 0.0,
        "slices": _IMAGES,
        "mask_share": 0.0,
        "matrix": image_size,
        "seed": seed,
    }
    settings = validated(PhantomSettings, values, "The plan")
    data = DataSettings(image_size=image_size, holdout_fraction=0.0)
    with tempfile.TemporaryDirectory() as scratch:
        [hospital] = write_hospitals(Path(scratch) / "hospitals", settings)
        patients = SiteDataset.open(hospital.folder, data, Path(scratch) / "cache")
        # Their keys are secret and new each time; their content is not.
        keys = sorted(patients.train_patients, key=patients.content)
        return ImageSet.of(
            (f"{number:04d}", example)
            for number, key in enumerate(keys)
            for example in patients.examples(key)
        )
