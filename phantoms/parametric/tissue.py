"""What each tissue is in a mask, on CT, on T1- and on T2-weighted MR, before randomisation.

Hounsfield units are textbook values; MR signals are relative, for spin echo at 1.5-3 T.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...model.conditions import LABEL


@dataclass(frozen=True)
class Tissue:
    """One tissue.

    Attributes:
        label: Mask code; 0 where the mask shows background (air within the body).
        hu: Mean in Hounsfield units.
        t1: Relative T1-weighted signal, 0 to 1.
        t2: Relative T2-weighted signal, 0 to 1.
        spread: How much patients and scanners differ, in HU.
        grain: Standard deviation of the texture within the tissue, in HU.
        mr_grain: The same for MR, relative.
    """

    label: int
    hu: float
    t1: float
    t2: float
    spread: float = 6.0
    grain: float = 4.0
    mr_grain: float = 0.02


_BODY, _BONE, _LUNG, _HEART = (
    LABEL["body"],
    LABEL["bone"],
    LABEL["lung"],
    LABEL["heart"],
)
_BRAIN, _FLUID, _ORGAN, _LESION = (
    LABEL["brain"],
    LABEL["fluid"],
    LABEL["organ"],
    LABEL["lesion"],
)

TISSUES: dict[str, Tissue] = {
    "air": Tissue(0, -1000, 0.0, 0.0, 0, 0, 0),
    "inner air": Tissue(_BODY, -980, 0.02, 0.02, 10, 5, 0.01),
    "fat": Tissue(_BODY, -100, 0.90, 0.62, 12, 8, 0.04),
    "muscle": Tissue(_BODY, 52, 0.42, 0.22, 8, 10, 0.04),
    "soft": Tissue(_BODY, 35, 0.45, 0.35, 10, 10, 0.04),
    "mucosa": Tissue(_BODY, 40, 0.48, 0.75, 10, 8, 0.05),
    "eye": Tissue(_BODY, 12, 0.18, 0.95, 4, 2, 0.02),
    "lens": Tissue(_BODY, 80, 0.45, 0.20, 10, 2, 0.02),
    "cortical bone": Tissue(_BONE, 1150, 0.06, 0.05, 180, 60, 0.02),
    "rib": Tissue(_BONE, 620, 0.20, 0.15, 100, 60, 0.04),
    "marrow": Tissue(_BONE, 420, 0.62, 0.42, 120, 60, 0.06),
    "spongy bone": Tissue(_BONE, 220, 0.55, 0.40, 60, 40, 0.05),
    "disc": Tissue(_BODY, 80, 0.35, 0.55, 15, 10, 0.04),
    "cartilage": Tissue(_BODY, 110, 0.40, 0.30, 20, 20, 0.04),
    "csf": Tissue(_FLUID, 7, 0.16, 0.97, 3, 3, 0.02),
    "grey matter": Tissue(_BRAIN, 39, 0.55, 0.58, 3, 3, 0.02),
    "white matter": Tissue(_BRAIN, 28, 0.78, 0.40, 3, 2, 0.015),
    "deep grey": Tissue(_BRAIN, 40, 0.62, 0.48, 3, 3, 0.02),
    "lung": Tissue(_LUNG, -850, 0.07, 0.07, 35, 35, 0.02),
    "blood": Tissue(_HEART, 42, 0.22, 0.18, 5, 5, 0.05),
    "heart muscle": Tissue(_HEART, 50, 0.45, 0.32, 6, 6, 0.03),
    "lung vessel": Tissue(_LUNG, 40, 0.20, 0.20, 8, 5, 0.03),
    "liver": Tissue(_ORGAN, 60, 0.55, 0.28, 10, 8, 0.03),
    "spleen": Tissue(_ORGAN, 50, 0.38, 0.50, 6, 6, 0.03),
    "kidney": Tissue(_ORGAN, 35, 0.42, 0.60, 6, 6, 0.03),
    "kidney sinus": Tissue(_ORGAN, -20, 0.60, 0.75, 20, 10, 0.04),
    "pancreas": Tissue(_ORGAN, 40, 0.58, 0.38, 8, 12, 0.05),
    "bowel": Tissue(_BODY, 25, 0.40, 0.55, 20, 25, 0.10),
    "bile": Tissue(_BODY, 10, 0.30, 0.95, 5, 3, 0.02),
    "urine": Tissue(_BODY, 5, 0.15, 1.00, 3, 3, 0.02),
    "brain lesion": Tissue(_LESION, 12, 0.38, 0.92, 6, 5, 0.05),
    "oedema": Tissue(_BRAIN, 20, 0.62, 0.72, 4, 3, 0.03),
    "opacity": Tissue(_LESION, 25, 0.38, 0.60, 15, 30, 0.06),
    "effusion": Tissue(_LESION, 10, 0.22, 0.95, 6, 5, 0.02),
    "liver lesion": Tissue(_LESION, 22, 0.35, 0.72, 12, 8, 0.04),
}
