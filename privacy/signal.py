"""What patients can teach for their budget: the signal in trained weights against the noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import PrivacyError

#: Length of the patients' mean clipped gradient in clip norms, where it was not measured: 0.32 to
#: 0.39 with the base of 64 pixels and made-up heads (docs/results.md).
TYPICAL_AGREEMENT = 0.33


@dataclass(frozen=True, kw_only=True)
class Signal:
    """How far patients move the trained numbers, in lengths of the noise in them.

    Attributes:
        patients: Patients whom one data set with the noise of a single sum would need to come as
            far: fewer than there are where each site adds noise of its own.
        numbers: Trained numbers.
        agreement: Length of the patients' mean clipped gradient in clip norms: 1 if all pull the
            same way, 0 if they cancel out.
        ratio: Length of the signal over length of the noise, over all steps; 0 for no signal.
    """

    patients: float
    numbers: int
    agreement: float
    ratio: float

    @property
    def learnable(self) -> int:
        """Trained numbers of the same agreement at which the noise would be as long."""
        return math.floor(self.numbers * self.ratio**2)

    def of_numbers(self, numbers: int, agreement: float | None = None) -> Signal:
        """Return the signal of another number of trained numbers.

        Args:
            numbers: How many.
            agreement: Theirs; the same if not given.
        """
        ratio = self.ratio * math.sqrt(self.numbers / numbers)
        if agreement is None:
            agreement = self.agreement
        elif self.agreement:
            ratio *= agreement / self.agreement
        return Signal(patients=self.patients, numbers=numbers, agreement=agreement, ratio=ratio)


def expected_signal(
    patients: Sequence[int],
    *,
    noise: Sequence[float],
    pooled_noise: float,
    sample_rate: float,
    steps: int,
    numbers: int,
    agreement: float = TYPICAL_AGREEMENT,
) -> Signal:
    """Return what a study's steps together tell against the noise in them.

    In each step a patient is drawn with chance q and adds a gradient whose mean over patients has
    the length s in clip norms, so T steps of N patients move the weights by ``s q T N``. The noise
    of the sites' sums adds up like squares and is spread over D numbers: its length is
    ``sqrt(T D sum(noise**2))``. Both count in clip norms; learning rates change both alike. For a
    given epsilon the ratio hardly depends on the number of steps: ``noise / (q sqrt(T))`` is about
    the noise of a single step on everybody.

    Args:
        patients: Training patients of each site.
        noise: Noise multiplier that each site adds, one per site.
        pooled_noise: Noise multiplier that one site with all patients would add.
        sample_rate: Each patient's chance to be in a step.
        steps: Steps of every site.
        numbers: Trained numbers.
        agreement: Length of the mean clipped gradient in clip norms.

    Raises:
        PrivacyError: If a number is out of range.
    """
    if not patients or len(noise) != len(patients) or min(patients) < 1 or min(noise) <= 0:
        raise PrivacyError(
            f"Sites have {list(patients)} training patients and noise {list(noise)}.",
            hint="Name one patient or more, and noise above 0, for each site.",
        )
    if numbers < 1 or steps < 1 or not 0 < sample_rate <= 1 or agreement < 0:
        raise PrivacyError(
            f"{numbers} numbers, {steps} steps, sample rate {sample_rate:g} and agreement "
            f"{agreement:g} give no signal."
        )
    noise_of_sum = math.sqrt(sum(each**2 for each in noise))
    ratio = (
        agreement
        * sample_rate
        * math.sqrt(steps)
        * sum(patients)
        / (noise_of_sum * math.sqrt(numbers))
    )
    return Signal(
        patients=sum(patients) * pooled_noise / noise_of_sum,
        numbers=numbers,
        agreement=agreement,
        ratio=ratio,
    )


def signal_in_cosines(cosines: Sequence[float]) -> float:
    """Return the ratio of signal to noise in one round's mean, by how sites agree with it.

    If n updates share a signal and have noise of their own, all of one length, the cosine of one
    with their mean is ``sqrt((r**2 + 1) / (r**2 + n))``, where r is the ratio in the mean: 1/√n
    for noise alone.

    Args:
        cosines: Of two sites or more, each with the mean of all.

    Returns:
        r, at least 0; infinite if all are 1.
    """
    square = (sum(cosines) / len(cosines)) ** 2
    if square >= 1:
        return math.inf
    return math.sqrt(max(0.0, (len(cosines) * square - 1) / (1 - square)))
