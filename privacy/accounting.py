"""What a sequence of mechanisms costs, and how much noise keeps it within a budget.

Everything is counted between data sets that differ by one patient, added or removed, with
Poisson sampling of patients. The epsilon that fedscan reports and enforces comes from Google's
dp-accounting: privacy loss distributions ("PLD", Koskela et al. 2020, arXiv:1906.03049) with
the "connect the dots" discretisation (Doroshenko et al. 2022, arXiv:2207.04380), which errs on
the side of more epsilon. Opacus' RDP and PRV accountants are independent cross-checks.

Mechanisms are composed, never their epsilons added: the sum of epsilons is a valid but far
looser bound.
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from dp_accounting import (
    GaussianDpEvent,
    NeighboringRelation,
    PoissonSampledDpEvent,
    get_sigma_gaussian,
)
from dp_accounting.pld import privacy_loss_distribution as pld
from dp_accounting.rdp import RdpAccountant
from scipy.optimize import brentq

from ..errors import BudgetExceededError, PrivacyError
from .mechanism import SubsampledGaussian

# Opacus brings PyTorch, seconds of import that a ledger does not need: only the cross-checks do.
if TYPE_CHECKING:
    from opacus.accountants import PRVAccountant, RDPAccountant

#: Grids of the privacy loss for whatever is reported or enforced, and for searches. Ten times
#: the points take ten times as long, so the fine ones are for where they are needed.
_FINE, _FINE_SEARCH = 1e-4, 1e-3
_MEDIUM, _MEDIUM_SEARCH = 5e-4, 2e-3
#: The error of a grid grows with the steps, and with the grid over the privacy loss of a step,
#: about sample rate / noise. Up to so many steps of at least this loss, the medium grid is
#: within 2e-4 of the fine one (for sample rates of 0.001 to 1 and noise of 0.5 to 50).
_FEW_STEPS = 400
_LARGE_LOSS = 0.02
#: Where steps lose less than the fine grids can tell, the grid is this share of a step's loss: its
#: error is then below 1e-3 of the whole, and below 2e-2 in searches.
_OF_LOSS, _OF_LOSS_SEARCH = 1 / 20, 1 / 4
#: Points at most of a grid over the largest loss of a single step.
_MOST_POINTS = 300_000
#: Where even a Rényi bound is beyond this, losses are so large that coarse grids tell them as well
#: (to 5e-4 of epsilon), and fine ones would take minutes and gigabytes.
_LARGE, _COARSE, _COARSE_SEARCH = 200.0, 5e-3, 2e-2
#: Beyond this nobody is protected, and the Rényi bound tells it as well.
_HOPELESS = 1e5
_HOPELESS_ORDERS = list(range(2, 33))
#: Less noise than this counts as none, for the same reason.
_LEAST_NOISE = 0.1
#: Calibrated noise multipliers are multiples of this, and at most the largest.
_NOISE_GRID = 1e-4
_MOST_NOISE = 1000.0

#: A (sample rate, noise multiplier, steps) triple per distinct mechanism, sorted.
_Groups = tuple[tuple[float, float, int], ...]


def epsilon(mechanisms: Sequence[SubsampledGaussian], delta: float) -> float:
    """Return the epsilon that all mechanisms together spend at ``delta``.

    Args:
        mechanisms: Everything that touched the data set, in any order.
        delta: Chance with which the promise may fail, in (0, 1).

    Returns:
        An upper bound on epsilon, tight to about 1e-3; 0 for no mechanisms, infinite where
        a mechanism has no or next to no noise.

    Raises:
        PrivacyError: If delta is out of range.
    """
    _check_delta(delta)
    groups = _groups(mechanisms)
    return _epsilon(groups, delta, _grids(groups)[0])


def noise_multiplier_for(
    *,
    epsilon: float,
    delta: float,
    sample_rate: float,
    steps: int,
    already: Sequence[SubsampledGaussian] = (),
) -> float:
    """Return the least noise with which ``steps`` more steps keep the budget.

    Args:
        epsilon: Budget of the data set's whole life.
        delta: Chance with which the promise may fail, in (0, 1).
        sample_rate: Each patient's chance to be in a step, in (0, 1].
        steps: How many steps are planned.
        already: Mechanisms spent before.

    Returns:
        Noise multiplier, a multiple of 1e-4, for which :func:`epsilon` of everything is at
        most ``epsilon``.

    Raises:
        BudgetExceededError: If no amount of noise keeps the budget.
        PrivacyError: If an argument is out of range.
    """
    _check_delta(delta)
    if not 0 < epsilon < math.inf:
        raise PrivacyError(f"epsilon is {epsilon!r}.", hint="It must be positive and finite.")
    SubsampledGaussian(sample_rate, 1.0, steps)  # checks the ranges
    return _noise_multiplier(epsilon, delta, sample_rate, steps, _groups(already))


def epsilon_rdp(mechanisms: Sequence[SubsampledGaussian], delta: float) -> float:
    """Return Opacus' Rényi bound on epsilon: never below :func:`epsilon`, often 10 % above.

    Raises:
        PrivacyError: If delta is out of range.
    """
    from opacus.accountants import RDPAccountant

    return _opacus(RDPAccountant(), _groups(mechanisms), delta)


def epsilon_prv(mechanisms: Sequence[SubsampledGaussian], delta: float) -> float:
    """Return Opacus' upper bound on epsilon from privacy random variables, within 0.02.

    Slow or unable to answer for very little noise or very small delta: a cross-check, not what
    is enforced (Gopi et al. 2021, arXiv:2106.02848).

    Raises:
        PrivacyError: If delta is out of range.
    """
    from opacus.accountants import PRVAccountant

    return _opacus(PRVAccountant(), _groups(mechanisms), delta)


@lru_cache(maxsize=64)
def _noise_multiplier(
    budget: float, delta: float, rate: float, steps: int, already: _Groups
) -> float:
    earlier = [SubsampledGaussian(*group) for group in already]

    def spent(noise: float, *, search: bool = False) -> float:
        groups = _groups([*earlier, SubsampledGaussian(rate, noise, steps)])
        return _epsilon(groups, delta, _grids(groups)[search])

    def excess(log_noise: float) -> float:
        # Close to straight in logarithms; capped to stay finite where there is no privacy.
        return math.log(min(spent(math.exp(log_noise), search=True), 1e6) / budget + 1e-12)

    # The central limit theorem's guess (Dong, Roth, Su 2019, arXiv:1905.02383) is near enough
    # to bracket the answer closely: far too little noise is slow to account for.
    gaussian = 1 / get_sigma_gaussian(budget, delta)
    guess = math.log1p((gaussian / (rate * math.sqrt(steps))) ** 2) ** -0.5
    low = high = math.log(min(max(guess, _LEAST_NOISE), _MOST_NOISE))
    before = epsilon(earlier, delta)
    hopeless = before >= budget
    while hopeless or excess(high) > 0:
        if hopeless or high >= math.log(_MOST_NOISE):
            raise BudgetExceededError(
                f"No noise multiplier up to {_MOST_NOISE:g} keeps {steps} steps at sample rate "
                f"{rate:g} within epsilon {budget:g} at delta {delta:g}; "
                f"{before:.4g} is spent already.",
                hint="Plan fewer steps, or a larger budget if the site allows it.",
            )
        low, high = high, min(high + 0.2, math.log(_MOST_NOISE))
    while low > math.log(_LEAST_NOISE) and excess(low) < 0:
        low, high = max(low - 0.2, math.log(_LEAST_NOISE)), low
    noise = math.exp(brentq(excess, low, high, xtol=2e-4) if excess(low) > 0 else low)
    # The search's grid errs towards more noise: correct the answer on the other, by secants
    # of the logarithms aimed a little inside the budget.
    best, slope, previous = math.inf, -1.0, None
    for _ in range(6):
        noise = max(math.ceil(noise / _NOISE_GRID) * _NOISE_GRID, _LEAST_NOISE)
        log_ratio = math.log(spent(noise) / budget)
        if log_ratio <= 0:
            best = min(best, noise)
            if log_ratio > -1e-3 or noise == _LEAST_NOISE:
                break
        if previous is not None and previous[0] != noise:
            slope = (log_ratio - previous[1]) / math.log(noise / previous[0])
        previous = noise, log_ratio
        noise *= math.exp(max(-0.1, min((-3e-4 - log_ratio) / min(slope, -0.5), 0.1)))
    return round(best, 4)


def _opacus(accountant: RDPAccountant | PRVAccountant, groups: _Groups, delta: float) -> float:
    _check_delta(delta)
    if not groups:
        return 0.0
    if any(noise == 0 for _, noise, _ in groups):
        return math.inf
    accountant.history = [(noise, rate, steps) for rate, noise, steps in groups]
    with warnings.catch_warnings():
        # It warns when the best order is its largest: then it is loose, not wrong.
        warnings.simplefilter("ignore", UserWarning)
        return float(accountant.get_epsilon(delta=delta))


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise PrivacyError(f"delta is {delta!r}.", hint="It must lie between 0 and 1.")


def _groups(mechanisms: Sequence[SubsampledGaussian]) -> _Groups:
    """Merge equal mechanisms; all unsampled Gaussians are exactly one with less noise."""
    steps: defaultdict[tuple[float, float], int] = defaultdict(int)
    for mechanism in mechanisms:
        steps[mechanism.sample_rate, mechanism.noise_multiplier] += mechanism.steps
    full_batches = {noise: count for (rate, noise), count in steps.items() if rate == 1}
    groups = [(rate, noise, count) for (rate, noise), count in steps.items() if rate < 1]
    if full_batches:
        if 0 in full_batches:
            groups.append((1.0, 0.0, 1))
        else:
            precision = math.fsum(count / noise**2 for noise, count in full_batches.items())
            groups.append((1.0, precision**-0.5, 1))
    return tuple(sorted(groups))


def _grids(groups: _Groups) -> tuple[float, float]:
    """Return the grid that is tight to about 1e-3 for these mechanisms, and one to search with."""
    few = sum(steps for _, _, steps in groups) <= _FEW_STEPS
    if few and all(rate >= _LARGE_LOSS * noise for rate, noise, _ in groups):
        return _MEDIUM, _MEDIUM_SEARCH
    noises = [noise for _, noise, _ in groups if noise >= _LEAST_NOISE]
    smallest = min((rate / noise for rate, noise, _ in groups if noise), default=math.inf)
    # A step without sampling loses about this at most, but for a chance of 1e-15.
    largest = max((1 / (2 * noise**2) + 8 / noise for noise in noises), default=0.0)
    least = largest / _MOST_POINTS
    return (
        max(min(_FINE, _OF_LOSS * smallest), least),
        max(min(_FINE_SEARCH, _OF_LOSS_SEARCH * smallest), least),
    )


@lru_cache(maxsize=256)
def _epsilon(groups: _Groups, delta: float, grid: float) -> float:
    if not groups:
        return 0.0
    if any(noise < _LEAST_NOISE for _, noise, _ in groups):
        return math.inf
    if (bound := _renyi_bound(groups, delta)) > _HOPELESS:
        return bound
    if bound > _LARGE:
        grid = max(grid, _COARSE_SEARCH if grid >= _FINE_SEARCH else _COARSE)
    total = _composed(groups[0], grid)
    for group in groups[1:]:
        total = total.compose(_composed(group, grid))
    return float(total.get_epsilon_for_delta(delta))


def _renyi_bound(groups: _Groups, delta: float) -> float:
    accountant = RdpAccountant(_HOPELESS_ORDERS, NeighboringRelation.ADD_OR_REMOVE_ONE)
    for rate, noise, steps in groups:
        accountant.compose(PoissonSampledDpEvent(rate, GaussianDpEvent(noise)), steps)
    return float(accountant.get_epsilon(delta))


# A round of a run asks about the same noise again, with one group's steps grown.
@lru_cache(maxsize=16)
def _single(rate: float, noise: float, grid: float) -> pld.PrivacyLossDistribution:
    return pld.from_gaussian_mechanism(
        noise,
        value_discretization_interval=grid,
        sampling_prob=rate,
        neighboring_relation=pld.NeighborRel.ADD_OR_REMOVE_ONE,
    )


@lru_cache(maxsize=16)
def _composed(group: tuple[float, float, int], grid: float) -> pld.PrivacyLossDistribution:
    rate, noise, steps = group
    single = _single(rate, noise, grid)
    return single if steps == 1 else single.self_compose(steps)
