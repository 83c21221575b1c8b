"""How well a generator fits patients whom nobody trained on, as one short vector per patient.

Two things are told of each patient. *Fit*: the generator's denoising error on the patient's images,
divided by that of the base at the same noises. *Finding*: whether the generator, used as a
classifier, takes the images for such with a finding (the words that explain an image best: Li et
al. 2023, arXiv 2303.16203), beside whether there is one. Each is one of a few public bins, so a
patient moves a sum of these vectors by a length of at most 1, whatever the images are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Borders of the bins of the fit; below 1 the generator fits better than the base.
BORDERS = (0.9, 0.95, 1.0, 1.05, 1.1)
#: Bins of the fit that count as better than the base.
BETTER = sum(border <= 1.0 for border in BORDERS)
BINS = len(BORDERS) + 1
#: Whether there is a finding, and whether the generator says so.
CONFUSION = ((False, False), (False, True), (True, False), (True, True))
CELLS = BINS + len(CONFUSION)
#: Two bins at most hold one patient: a vector of two ones has the length of root 2.
SCALE = 1 / math.sqrt(2)

#: Half the width of a 95 % interval, in deviations of a normal distribution.
_NORMAL_95 = 1.96


@dataclass(frozen=True, kw_only=True)
class PatientScore:
    """What is told of one patient.

    Attributes:
        ratio: The generator's error over that of the base.
        has_finding: Whether the images show the finding; ``None`` where that is not known.
        says_so: Whether the generator says so; ``None`` where nothing is known to compare it with.
    """

    ratio: float
    has_finding: bool | None = None
    says_so: bool | None = None


def patient_vector(score: PatientScore) -> NDArray[np.float32]:
    """Return a patient's contribution to the sums: float32 ``[CELLS]`` of length at most 1.

    A fit that is not finite counts as the worst, so that no image can break the sum.
    """
    vector = np.zeros(CELLS, np.float32)
    ratio = score.ratio if math.isfinite(score.ratio) else math.inf
    vector[int(np.searchsorted(BORDERS, ratio, side="right"))] = SCALE
    if score.has_finding is not None and score.says_so is not None:
        vector[BINS + CONFUSION.index((score.has_finding, score.says_so))] = SCALE
    return vector


def counts(scores: Iterable[PatientScore]) -> NDArray[np.float64]:
    """Count patients by their bins: float64 ``[CELLS]``."""
    total = np.zeros(CELLS)
    for score in scores:
        total += patient_vector(score) > 0
    return total


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of patients with its 95 % interval.

    Attributes:
        value: The share.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def better_share(numbers: Sequence[float], deviation: float) -> Share | None:
    """Return the share of patients whom the generator fits better than the base.

    Args:
        numbers: Patients by bin, ``[CELLS]``, with noise or without.
        deviation: Standard deviation of the noise in each number; 0 without noise.

    Returns:
        The share; ``None`` where noise covers the number of patients.
    """
    return _share(numbers[:BETTER], numbers[BETTER:BINS], deviation)


def right_share(numbers: Sequence[float], deviation: float) -> Share | None:
    """Return the share of patients of whom the generator says rightly whether there is a finding.

    Balanced: as if as many patients had one as not. Arguments and result as of
    :func:`better_share`.
    """
    true_no, false_yes, false_no, true_yes = numbers[BINS:CELLS]
    parts = [
        _share([true_no], [false_yes], deviation),
        _share([true_yes], [false_no], deviation),
    ]
    shares = [part for part in parts if part is not None]
    if len(shares) < len(parts):
        return None
    value = sum(part.value for part in shares) / 2
    half = math.hypot(*((part.high - part.low) / 2 for part in shares)) / 2
    return Share(value=value, low=max(0.0, value - half), high=min(1.0, value + half))


def _share(inside: Sequence[float], outside: Sequence[float], deviation: float) -> Share | None:
    """Return inside / (inside + outside), with the spread of patients and that of the noise.

    Both by the delta method: that of a binomial share, and the noise of the two sums.
    """
    first, second = float(sum(inside)), float(sum(outside))
    patients, cells = first + second, len(inside) + len(outside)
    # Fewer than two deviations of their number's own noise may as well be nobody.
    if not patients > max(2 * deviation * math.sqrt(cells), 0.5):
        return None
    value = min(1.0, max(0.0, first / patients))
    # Agresti and Coull (1998): two patients more on each side, or nobody's share would be certain.
    centre = (value * patients + 2) / (patients + 4)
    noise = (1 - value) ** 2 * len(inside) + value**2 * len(outside)
    variance = centre * (1 - centre) / (patients + 4) + noise * (deviation / patients) ** 2
    half = _NORMAL_95 * math.sqrt(variance)
    return Share(value=value, low=max(0.0, centre - half), high=min(1.0, centre + half))
