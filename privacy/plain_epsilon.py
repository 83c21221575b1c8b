"""What one training spends, from plain numbers."""

from __future__ import annotations

from .accounting import epsilon as composed_epsilon
from .mechanism import SubsampledGaussian


def epsilon(*, sample_rate: float, noise_multiplier: float, steps: int, delta: float) -> float:
    """Return the epsilon that a training of one data set spends, counted by patients.

    Args:
        sample_rate: Each patient's chance to be in a step, in (0, 1].
        noise_multiplier: Standard deviation of the noise in units of the clip norm.
        steps: How many steps are taken.
        delta: Chance with which the promise may fail, in (0, 1).

    Raises:
        PrivacyError: If a number is out of range.

    >>> import fedscan
    >>> spent = fedscan.epsilon(sample_rate=0.05, noise_multiplier=1.2, steps=200, delta=1e-5)
    >>> round(spent, 1)
    3.4
    """
    mechanism = SubsampledGaussian(sample_rate, noise_multiplier, steps)
    return composed_epsilon([mechanism], delta)
