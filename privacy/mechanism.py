"""The one kind of mechanism that ever touches patients: a Poisson-subsampled Gaussian."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import PrivacyError

#: More steps than any run takes; bounds the time and memory that accounting can be made to use.
MAX_STEPS = 1_000_000


@dataclass(frozen=True)
class SubsampledGaussian:
    """A sum over Poisson-sampled patients with Gaussian noise, repeated.

    Each step includes each patient independently with probability ``sample_rate``, adds the
    included patients' vectors, each of Euclidean norm at most C, and adds Gaussian noise of
    standard deviation ``noise_multiplier * C`` to every coordinate.

    Attributes:
        sample_rate: Chance of a patient to be in a step, in (0, 1].
        noise_multiplier: Noise standard deviation in units of the clip norm, at least 0;
            0 gives no privacy at all.
        steps: How often, from 1 to :data:`MAX_STEPS`.

    Raises:
        PrivacyError: If a value is out of range.
    """

    sample_rate: float
    noise_multiplier: float
    steps: int = 1

    def __post_init__(self) -> None:
        rate, noise, steps = self.sample_rate, self.noise_multiplier, self.steps
        if not _is_number(rate) or not 0 < rate <= 1:
            raise PrivacyError(f"sample_rate is {rate!r}.", hint="It must be in (0, 1].")
        if not _is_number(noise) or not 0 <= noise < math.inf:
            raise PrivacyError(
                f"noise_multiplier is {noise!r}.", hint="It must be finite and not negative."
            )
        if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= MAX_STEPS:
            raise PrivacyError(f"steps is {steps!r}.", hint=f"It must be 1 to {MAX_STEPS}.")
        # 1 and 1.0 must be written, hashed and compared alike.
        object.__setattr__(self, "sample_rate", float(rate))
        object.__setattr__(self, "noise_multiplier", float(noise))

    def to_dict(self) -> dict[str, float | int]:
        """Return plain values for a message or a ledger entry."""
        return {
            "sample_rate": self.sample_rate,
            "noise_multiplier": self.noise_multiplier,
            "steps": self.steps,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SubsampledGaussian:
        """Read what :meth:`to_dict` wrote.

        Raises:
            PrivacyError: If a key is missing or unknown, or a value is out of range.
        """
        names = {"sample_rate", "noise_multiplier", "steps"}
        if not isinstance(values, Mapping) or set(values) != names:
            content = sorted(map(str, values)) if isinstance(values, Mapping) else values
            raise PrivacyError(
                f"A mechanism is written with {content!r}.",
                hint=f"It needs exactly {', '.join(sorted(names))}.",
            )
        return cls(**values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
