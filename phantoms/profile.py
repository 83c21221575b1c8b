"""How hospitals differ: scanner, protocol, image quality and whom they treat."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .anatomical.contrast import Sequence


@dataclass(frozen=True)
class HospitalProfile:
    """One phantom hospital.

    Attributes:
        name: Folder of the site.
        prefix: Start of its patient identifiers.
        manufacturer: Made-up maker of its scanners.
        field_of_view: Side of the image in mm.
        slice_thickness: mm.
        t1: Timing of its T1-weighted sequence.
        t2: Timing of its T2-weighted sequence.
        mr_noise: Standard deviation of Rician noise as a share of white matter's T1 signal.
        mr_bias: Strength of the coil's shading (standard deviation of its logarithm).
        mr_blur: Extra blur in pixels.
        ct_kernel: Name of the convolution kernel.
        ct_sharpness: Above 0 the kernel enhances edges, below 0 it smooths.
        ct_noise: Standard deviation of CT noise in HU.
        ct_offset: Calibration error in HU.
        tube_voltage: kV.
        lesion_share: Share of patients with a lesion.
        age: Mean and standard deviation of age in years.
        male_share: Share of male patients.
        contrast_weights: How often a patient scanned once gets T1, T2, CT.
    """

    name: str
    prefix: str
    manufacturer: str
    field_of_view: float
    slice_thickness: float
    t1: Sequence
    t2: Sequence
    mr_noise: float
    mr_bias: float
    mr_blur: float
    ct_kernel: str
    ct_sharpness: float
    ct_noise: float
    ct_offset: float
    tube_voltage: int
    lesion_share: float
    age: tuple[float, float]
    male_share: float
    contrast_weights: tuple[float, float, float]


_UNIVERSITY = HospitalProfile(
    name="hospital-a",
    prefix="UHA",
    manufacturer="Phantom A",
    field_of_view=244.0,
    slice_thickness=4.0,
    t1=Sequence(2000.0, 3.0, inversion_time=900.0, field=3.0),
    t2=Sequence(4800.0, 92.0, field=3.0),
    mr_noise=0.02,
    mr_bias=0.14,
    mr_blur=0.0,
    ct_kernel="H40",
    ct_sharpness=0.15,
    ct_noise=2.5,
    ct_offset=0.0,
    tube_voltage=120,
    lesion_share=0.6,
    age=(52.0, 18.0),
    male_share=0.5,
    contrast_weights=(0.4, 0.4, 0.2),
)
_GENERAL = HospitalProfile(
    name="hospital-b",
    prefix="GHB",
    manufacturer="Phantom B",
    field_of_view=256.0,
    slice_thickness=5.0,
    t1=Sequence(520.0, 12.0, field=1.5),
    t2=Sequence(3900.0, 104.0, field=1.5),
    mr_noise=0.04,
    mr_bias=0.07,
    mr_blur=0.35,
    ct_kernel="SOFT",
    ct_sharpness=-0.5,
    ct_noise=3.5,
    ct_offset=3.0,
    tube_voltage=120,
    lesion_share=0.5,
    age=(66.0, 14.0),
    male_share=0.46,
    contrast_weights=(0.25, 0.25, 0.5),
)
_YOUNG = HospitalProfile(
    name="hospital-c",
    prefix="CHC",
    manufacturer="Phantom C",
    field_of_view=250.0,
    slice_thickness=6.0,
    t1=Sequence(430.0, 14.0, field=1.0),
    t2=Sequence(3400.0, 110.0, field=1.0),
    mr_noise=0.05,
    mr_bias=0.1,
    mr_blur=0.5,
    ct_kernel="BRAIN_SHARP",
    ct_sharpness=0.4,
    ct_noise=4.5,
    ct_offset=-3.0,
    tube_voltage=100,
    lesion_share=0.45,
    age=(38.0, 13.0),
    male_share=0.56,
    contrast_weights=(0.3, 0.4, 0.3),
)
_DESIGNED = (_UNIVERSITY, _GENERAL, _YOUNG)


def hospital_profile(index: int, seed: int) -> HospitalProfile:
    """The profile of a hospital: the first three are designed, further ones drawn between them.

    Args:
        index: Number of the hospital, from 0.
        seed: Seed of the phantoms.
    """
    if index < len(_DESIGNED):
        return _DESIGNED[index]
    rng = np.random.default_rng([seed, 7, index])
    base = _DESIGNED[int(rng.integers(len(_DESIGNED)))]
    letter = _letters(index)
    return replace(
        base,
        name=f"hospital-{letter}",
        prefix=f"XH{letter.upper()}",
        manufacturer=f"Phantom {letter.upper()}",
        field_of_view=round(float(rng.uniform(242.0, 256.0)), 1),
        mr_noise=float(rng.uniform(0.02, 0.06)),
        mr_bias=float(rng.uniform(0.05, 0.15)),
        ct_sharpness=float(rng.uniform(-0.5, 0.4)),
        ct_noise=float(rng.uniform(2.5, 4.5)),
        ct_offset=round(float(rng.normal(0.0, 3.0)), 1),
        lesion_share=float(rng.uniform(0.4, 0.6)),
        age=(float(rng.uniform(40.0, 66.0)), 15.0),
        male_share=float(rng.uniform(0.42, 0.58)),
    )


def _letters(index: int) -> str:
    """Name a hospital as columns of a table are named: a to z, then aa, ab and so on."""
    text = ""
    while index >= 0:
        text = chr(ord("a") + index % 26) + text
        index = index // 26 - 1
    return text
