"""Poisson sampling of patients."""

from __future__ import annotations

import numpy as np

from ..errors import PrivacyError
from .stream import SecretStream


def poisson_sample(stream: SecretStream, population: int, rate: float) -> list[int]:
    """Draw each patient independently with the same chance.

    The accounting's amplification by sampling holds for exactly this: no fixed batch size, no
    shuffling, and an empty draw is a valid draw. Who was drawn is as secret as the noise.

    Args:
        stream: Where the randomness comes from; ``population`` numbers are consumed.
        population: How many patients there are.
        rate: Each patient's chance, in (0, 1], exact to 2**-53.

    Returns:
        Indices of the patients drawn, ascending.

    Raises:
        PrivacyError: If the population is negative or the rate is out of range.
    """
    if population < 0:
        raise PrivacyError(f"The population is {population}.", hint="It cannot be negative.")
    if not 0 < rate <= 1:
        raise PrivacyError(f"The sample rate is {rate!r}.", hint="It must be in (0, 1].")
    sample: list[int] = np.flatnonzero(stream.uniform(population) < rate).tolist()
    return sample
