"""From tissue to signal: spin physics for MR, Hounsfield units for CT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .sampling import PATIENT_TISSUES, Anatomy

#: Proton density, T1 and T2 in ms at 1.5 T, and HU. After Stanisz et al., Magn Reson Med 54
#: (2005), and Bottomley et al., Med Phys 11 (1984), rounded; fat and marrow have the longer
#: effective T2 that they show in echo trains.
_PROPERTIES: dict[str, tuple[float, float, float, float]] = {
    "grey": (0.83, 950.0, 98.0, 38.0),
    "white": (0.71, 620.0, 76.0, 28.0),
    "fluid": (1.00, 4000.0, 1800.0, 5.0),
    "dura": (0.70, 900.0, 45.0, 62.0),
    "cortical": (0.06, 500.0, 20.0, 1350.0),
    "marrow": (0.45, 380.0, 75.0, 480.0),
    "muscle": (0.78, 950.0, 45.0, 52.0),
    "fat": (0.60, 270.0, 85.0, -95.0),
    "skin": (0.65, 800.0, 45.0, 30.0),
    "vitreous": (0.98, 3600.0, 1200.0, 10.0),
    "lens": (0.60, 1100.0, 30.0, 85.0),
    "rim": (0.86, 1300.0, 135.0, 72.0),
    "core": (0.95, 2300.0, 330.0, 16.0),
    "oedema": (0.88, 1350.0, 165.0, 16.0),
    "scar": (0.94, 1900.0, 260.0, 12.0),
}
_AIR_HU = -1000.0


@dataclass(frozen=True)
class Sequence:
    """Timing of an MR sequence, in ms.

    Attributes:
        repetition_time: TR.
        echo_time: TE.
        inversion_time: TI of an inversion-prepared gradient echo; 0 for a spin echo.
        field: Magnetic field strength in tesla; T1 grows with it.
    """

    repetition_time: float
    echo_time: float
    inversion_time: float = 0.0
    field: float = 1.5

    def signal(self, density: float, t1: float, t2: float) -> float:
        """Signal magnitude of a tissue (spin echo, or inversion recovery where TI > 0)."""
        # T1 of tissue grows with about the cube root of the field; water's does not.
        t1 *= 1.0 if t1 > 3000.0 else (self.field / 1.5) ** 0.34
        relaxation = 1.0 - np.exp(-self.repetition_time / t1)
        if self.inversion_time:
            recovery = 1.0 - 2.0 * np.exp(-self.inversion_time / t1)
            relaxation = abs(recovery + np.exp(-self.repetition_time / t1))
        return float(density * relaxation * np.exp(-self.echo_time / t2))


def mr_signal(anatomy: Anatomy, sequence: Sequence) -> NDArray[np.float32]:
    """MR signal ``[S, H, W]``; deep white matter is 1."""
    levels = [sequence.signal(*_PROPERTIES[name][:3]) for name in PATIENT_TISSUES]
    white = levels[PATIENT_TISSUES.index("white")]
    return _mix(anatomy, [level / white for level in levels])


def hounsfield(anatomy: Anatomy) -> NDArray[np.float32]:
    """CT numbers ``[S, H, W]`` in HU."""
    # Linear in attenuation, and HU is linear in attenuation: fractions mix HU above air.
    levels = [_PROPERTIES[name][3] - _AIR_HU for name in PATIENT_TISSUES]
    return _mix(anatomy, levels) + np.float32(_AIR_HU)


def _mix(anatomy: Anatomy, levels: list[float]) -> NDArray[np.float32]:
    image = np.tensordot(np.asarray(levels, np.float32), anatomy.fractions, 1)
    grey, white = (levels[PATIENT_TISSUES.index(name)] for name in ("grey", "white"))
    return np.asarray(image + (white - grey) * anatomy.texture, np.float32)
