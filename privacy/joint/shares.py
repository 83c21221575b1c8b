"""How much of the noise each site adds, when only the sum over many sites is ever seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ...errors import PrivacyError
from ..mechanism import SubsampledGaussian

#: Shares are multiples of this, as all calibrated noise is.
_NOISE_GRID = 1e-4


@dataclass(frozen=True)
class JointShare:
    """What a site runs on its patients for a joint sum, as two adversaries see it.

    Attributes:
        own: With the site's own noise alone. That is what protects its patients if all others
            work together, or if the cryptography falls.
        joint: With the noise of all sites that are counted on. That is what protects them from
            the coordinator and the few sites that may work with it.

    Raises:
        PrivacyError: If the two differ in more than noise, or the joint noise is less.
    """

    own: SubsampledGaussian
    joint: SubsampledGaussian

    def __post_init__(self) -> None:
        same = replace(self.joint, noise_multiplier=self.own.noise_multiplier) == self.own
        if not same or self.joint.noise_multiplier < self.own.noise_multiplier:
            raise PrivacyError(
                "A share of a joint sum is counted with another mechanism than its own.",
                hint="Sample rate and steps are the same for both, and the joint noise is no less.",
            )

    @classmethod
    def of(cls, own: SubsampledGaussian, *, honest: int, minimum: float) -> JointShare:
        """Return a site's share among others of which each adds ``minimum`` at least.

        Args:
            own: What the site runs, with its own noise.
            honest: Sites that are counted on, the site itself included, at least 1.
            minimum: Noise multiplier that the study's terms oblige every site to add.

        Raises:
            PrivacyError: If the site would add less than the others, or a number is out of range.
        """
        if honest < 1 or not 0 <= minimum <= own.noise_multiplier:
            raise PrivacyError(
                f"A share of noise {own.noise_multiplier:g} is planned among {honest} honest sites "
                f"that add {minimum:g} each.",
                hint="A site adds what the study's terms ask of every site, or more.",
            )
        variance = own.noise_multiplier**2 + (honest - 1) * minimum**2
        return cls(own, replace(own, noise_multiplier=math.sqrt(variance)))

    def among_fewer(self, honest: int, fewer: int) -> JointShare:
        """Return the share as it counts if fewer sites are honest than it was planned for.

        Args:
            honest: Sites that it counts on, the site itself included.
            fewer: So many of them are not honest after all.
        """
        if fewer <= 0 or honest <= 1:
            return self
        own = self.own.noise_multiplier
        others = max(0.0, self.joint.noise_multiplier**2 - own**2)
        rest = others * max(0, honest - 1 - fewer) / (honest - 1)
        noise = max(own, math.sqrt(own**2 + rest))
        return JointShare(self.own, replace(self.own, noise_multiplier=noise))

    def with_steps(self, steps: int) -> JointShare:
        """Return the same share of another number of steps."""
        return JointShare(replace(self.own, steps=steps), replace(self.joint, steps=steps))


def own_noise(*, joint: float, alone: float, honest: int) -> float:
    """Return the least share with which equal shares keep both promises.

    Args:
        joint: Noise multiplier that the sum of the honest shares needs.
        alone: Noise multiplier that a single share needs.
        honest: Sites that are counted on.

    Returns:
        A multiple of 1e-4.
    """
    least = max(joint / math.sqrt(honest), alone)
    share = round(math.ceil(least / _NOISE_GRID) * _NOISE_GRID, 4)
    return share if share >= least else round(share + _NOISE_GRID, 4)
