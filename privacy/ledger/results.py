"""What a ledger gives back to its caller."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..mechanism import SubsampledGaussian


@dataclass(frozen=True)
class Reservation:
    """Leave to run one step, paid for.

    Attributes:
        secret: 32 bytes that all of the step's noise and sampling come from; never leaves
            the site and is in no log.
        sequence: Its place in the ledger.
        replay: Whether it was paid for before, so that the step runs again with the same
            secret and nothing new was spent.
    """

    secret: bytes = field(repr=False)
    sequence: int
    replay: bool


@dataclass(frozen=True)
class Spent:
    """What a data set has spent.

    Attributes:
        epsilon: Epsilon of all mechanisms together at ``delta``.
        delta: The delta it was computed for.
        ceiling: The ceiling it may not pass.
        mechanisms: All mechanisms, equal ones merged.
        collusion_epsilon: The same by the site's own noise alone: what holds if all others of
            its joint sums work together.
        collusion_ceiling: The ceiling of that.
    """

    epsilon: float
    delta: float
    ceiling: float
    mechanisms: tuple[SubsampledGaussian, ...]
    collusion_epsilon: float
    collusion_ceiling: float
