"""Contrasts: random tissue values per patient and scanner, and what a scanner adds to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ...model.intensity import hounsfield_to_model, percentile_to_model
from .textures import smooth_map
from .tissue import TISSUES

Floats = NDArray[np.float32]

#: The modalities that slices are drawn in.
CONTRASTS = ("CT", "T1-weighted MR", "T2-weighted MR")
#: MR of a sequence that nobody knows: of tissues, only what is dark in all of them is sure.
ANY_MR = "MR"
_ALWAYS_DARK = ("air", "inner air", "lung", "cortical bone", "rib")

#: Tissues that take up contrast agent, and how many HU they gain at most.
_ENHANCING = {"blood": 180, "heart muscle": 60, "liver": 55, "spleen": 70, "kidney": 130,
              "lung vessel": 150, "pancreas": 50}  # fmt: skip


@dataclass(frozen=True, eq=False)
class TissueValues:
    """Value and texture of every tissue in one contrast of one patient.

    Attributes:
        modality: One of :data:`CONTRASTS`.
        table: Tissue to float32 ``[2]``: mean and standard deviation of its texture.
        enhanced: Whether contrast agent was given.
    """

    modality: str
    table: dict[str, Floats]
    enhanced: bool = False


def draw_values(rng: np.random.Generator, modality: str, body_part: str) -> TissueValues:
    """Draw the tissue values of one series.

    Args:
        rng: Source of randomness.
        modality: One of :data:`CONTRASTS`, or :data:`ANY_MR`: then a mixture of T1 and T2, or
            a random signal of each tissue, so that who learns from it goes by shapes (SynthSeg,
            Billot et al., Medical Image Analysis 2023, arXiv 2107.09559).
        body_part: Part of the body, which decides how often contrast agent is given.
    """
    has_contrast = modality == "CT" and body_part != "head" and rng.random() < 0.5
    uptake = rng.uniform(0.4, 1.0) if has_contrast else 0.0
    grain = rng.uniform(0.4, 1.6)
    blood_signal = rng.uniform(-0.1, 0.5)
    mix, arbitrary = float(modality == "T1-weighted MR"), False
    if modality == ANY_MR:
        mix, arbitrary = rng.random(), rng.random() < 0.5
    table: dict[str, Floats] = {}
    for name, tissue in TISSUES.items():
        if modality == "CT":
            mean = tissue.hu + tissue.spread * rng.normal()
            mean += uptake * _ENHANCING.get(name, 0.0)
            texture = tissue.grain * grain
        else:
            base = mix * tissue.t1 + (1 - mix) * tissue.t2
            if arbitrary and name not in _ALWAYS_DARK:
                base = rng.uniform(0.03, 1.0)
            if name in ("blood", "lung vessel"):
                base += blood_signal  # flow and sequence decide whether blood is bright
            mean = max(base * np.exp(0.07 * rng.normal()), 0.0)
            texture = tissue.mr_grain * grain
        table[name] = np.array([mean, texture], np.float32)
    if modality == "CT":
        table["air"][:] = (-1000, 0)
        if rng.random() < 0.4:  # a bleed is bright; an infarct, a cyst or oedema is dark
            table["brain lesion"][0] = rng.uniform(62, 85)
    if modality == "T1-weighted MR" and rng.random() < 0.25:
        table["brain lesion"][0] = rng.uniform(0.9, 1.05)  # blood, fat or contrast agent
    return TissueValues(modality, table, has_contrast)


def finish(rng: np.random.Generator, values: TissueValues, image: Floats) -> Floats:
    """Add what the scanner adds, and map to [-1, 1].

    Args:
        rng: Source of randomness.
        values: The series' tissue values.
        image: float32, HU or relative signal, texture included.

    Returns:
        float32 of the same shape in [-1, 1].
    """
    noise = rng.standard_normal(image.shape, np.float32)
    # Thick slices and small matrices: some scanners see half as fine as others.
    if rng.random() < 0.6:
        image = gaussian_filter(image, rng.uniform(0.3, 1.1))
    if values.modality == "CT":
        return hounsfield_to_model(image + np.float32(rng.uniform(1.5, 9)) * noise)
    strength = rng.uniform(0.0, 0.5 if values.modality == ANY_MR else 0.25)
    image = image * np.exp(np.float32(strength) * smooth_map(rng, image.shape, 2))
    sigma = np.float32(rng.uniform(0.004, 0.05))
    # Magnitude images of complex noise: Rician, so the air is not quite black.
    other = rng.standard_normal(image.shape, np.float32)
    image = np.hypot(image + sigma * noise, sigma * other)
    # Bright fat can leave all else in the lowest tenth.
    gamma = np.float32(
        3.0 ** rng.uniform(-0.5, 1) if values.modality == ANY_MR else rng.uniform(0.6, 1.3)
    )
    return percentile_to_model(image**gamma, 0.5, float(rng.uniform(98.8, 99.7)))
