"""One noisy sum over many sites: each adds a part of the noise, and nobody sees a single part."""

from .grid import GRADIENT_BITS, STATISTICS_BITS, SumGrid
from .plan import JointPlan, both_epsilons, plan_joint
from .ring import from_ring, to_ring
from .shares import JointShare
from .sums import private_count_sum, private_sum, private_vector_sum

__all__ = [
    "GRADIENT_BITS",
    "STATISTICS_BITS",
    "JointPlan",
    "JointShare",
    "SumGrid",
    "both_epsilons",
    "from_ring",
    "plan_joint",
    "private_count_sum",
    "private_sum",
    "private_vector_sum",
    "to_ring",
]
