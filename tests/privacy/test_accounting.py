"""Accounting against closed forms, quadrature, other accountants and published numbers."""

import math

import numpy as np
import pytest
from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism
from fedscan.errors import BudgetExceededError, PrivacyError
from fedscan.privacy.accounting import epsilon, epsilon_prv, epsilon_rdp, noise_multiplier_for
from fedscan.privacy.mechanism import SubsampledGaussian
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import log_ndtr
from scipy.stats import norm

DELTA = 1e-5
#: dp-accounting 0.4.4, opacus 1.6 and opacus' PRV gave 5.616, 6.150 and 5.626 for it.
KNOWN = SubsampledGaussian(0.02, 1.0, 2000)


def analytic_gaussian(sigma: float, delta: float) -> float:
    """Epsilon of one unsampled Gaussian, Balle & Wang 2018 (arXiv:1805.06530), theorem 8."""

    def excess(eps: float) -> float:
        second = eps + log_ndtr(-1 / (2 * sigma) - eps * sigma)
        return norm.cdf(1 / (2 * sigma) - eps * sigma) - math.exp(second) - delta

    return brentq(excess, 0, 1000)


def quadrature(q: float, sigma: float, delta: float) -> float:
    """Epsilon of one sampled Gaussian: the two hockey-stick divergences, integrated."""

    x = np.linspace(-12 * sigma, 1 + 12 * sigma, 200_001)
    plain = norm.pdf(x, 0, sigma)
    mixed = (1 - q) * plain + q * norm.pdf(x, 1, sigma)

    def excess(eps: float, upper: np.ndarray, lower: np.ndarray) -> float:
        return np.trapezoid(np.maximum(upper - math.exp(eps) * lower, 0.0), x) - delta

    return max(
        brentq(excess, 0, 5, args=pair, xtol=1e-6) for pair in ((mixed, plain), (plain, mixed))
    )


@pytest.mark.parametrize("sigma", [0.7, 1.0, 4.0, 30.0])
def test_unsampled_gaussian_agrees_with_its_closed_form(sigma: float) -> None:
    found = epsilon([SubsampledGaussian(1.0, sigma, 1)], DELTA)
    expected = analytic_gaussian(sigma, DELTA)
    assert expected - 1e-6 <= found <= expected + 2e-3


def test_unsampled_gaussians_of_different_noise_agree_with_their_closed_form() -> None:
    found = epsilon([SubsampledGaussian(1, 5.0, 3), SubsampledGaussian(1, 9.0, 4)], DELTA)
    expected = analytic_gaussian((3 / 25 + 4 / 81) ** -0.5, DELTA)
    assert expected - 1e-6 <= found <= expected + 2e-3


@pytest.mark.parametrize(("q", "sigma"), [(0.1, 1.0), (0.5, 2.0)])
def test_one_sampled_step_agrees_with_quadrature(q: float, sigma: float) -> None:
    found = epsilon([SubsampledGaussian(q, sigma, 1)], DELTA)
    expected = quadrature(q, sigma, DELTA)
    assert expected - 1e-5 <= found <= expected + 2e-3


def test_known_number_and_the_order_of_the_bounds() -> None:
    tight = epsilon([KNOWN], DELTA)
    assert tight == pytest.approx(5.616, abs=0.02)
    assert tight <= epsilon_prv([KNOWN], DELTA) <= tight + 0.03
    assert epsilon_rdp([KNOWN], DELTA) == pytest.approx(6.150, abs=0.01)


def test_published_moments_accountant_number_is_not_exceeded() -> None:
    # Abadi et al. 2016 (arXiv:1607.00133), section 3.2: epsilon 1.26 after 10,000 steps.
    found = epsilon([SubsampledGaussian(0.01, 4.0, 10_000)], DELTA)
    assert 0.9 < found < 1.26


@settings(max_examples=5, deadline=None)
@given(split=st.integers(1, 99))
def test_rounds_cost_as_much_as_one_run(split: int) -> None:
    other = SubsampledGaussian(1.0, 10.0, 1)
    whole = [SubsampledGaussian(0.25, 3.0, 100), other]
    parts = [
        SubsampledGaussian(0.25, 3.0, split),
        other,
        SubsampledGaussian(0.25, 3.0, 100 - split),
    ]
    assert epsilon(parts, DELTA) == epsilon(whole, DELTA)


@pytest.mark.parametrize(("rate", "noise", "steps"), [(0.02, 0.95, 36), (0.2, 6.0, 400)])
def test_the_grid_for_few_steps_is_as_tight_as_a_finer_one(
    rate: float, noise: float, steps: int
) -> None:
    fine = from_gaussian_mechanism(
        noise, value_discretization_interval=1e-4, sampling_prob=rate
    ).self_compose(steps)
    expected = fine.get_epsilon_for_delta(DELTA)
    found = epsilon([SubsampledGaussian(rate, noise, steps)], DELTA)
    assert expected - 1e-6 <= found <= expected + 1e-3


def test_composition_is_cheaper_than_adding_epsilons() -> None:
    first, second = SubsampledGaussian(0.25, 3.0, 100), SubsampledGaussian(0.1, 1.5, 200)
    alone = epsilon([first], DELTA), epsilon([second], DELTA)
    together = epsilon([first, second], DELTA)
    assert max(alone) < together < 0.85 * sum(alone)


def test_nothing_costs_nothing_and_no_noise_costs_everything() -> None:
    assert epsilon([], DELTA) == 0
    for bound in (epsilon, epsilon_rdp, epsilon_prv):
        assert bound([KNOWN, SubsampledGaussian(0.5, 0.0, 1)], DELTA) == math.inf


@pytest.mark.parametrize(("rate", "noise"), [(0.5, 0.11), (0.9, 0.5), (1.0, 0.5)])
def test_hopeless_mechanisms_are_told_quickly(rate: float, noise: float) -> None:
    assert epsilon([SubsampledGaussian(rate, noise, 1_000_000)], DELTA) > 200


@pytest.mark.parametrize("delta", [0.0, 1.0, -1.0, math.nan])
def test_delta_out_of_range(delta: float) -> None:
    with pytest.raises(PrivacyError, match="delta"):
        epsilon([KNOWN], delta)


@pytest.mark.parametrize(
    ("budget", "rate", "steps"), [(8.0, 0.25, 200), (1.0, 0.1, 5000), (0.2, 1.0, 1)]
)
def test_calibrated_noise_spends_the_budget_and_no_more(
    budget: float, rate: float, steps: int
) -> None:
    noise = noise_multiplier_for(epsilon=budget, delta=DELTA, sample_rate=rate, steps=steps)
    assert 0.99 * budget < epsilon([SubsampledGaussian(rate, noise, steps)], DELTA) <= budget


def test_calibrated_noise_counts_what_was_spent_before() -> None:
    before = [SubsampledGaussian(1.0, 8.0, 2), SubsampledGaussian(0.25, 3.0, 100)]
    plan = {"epsilon": 8.0, "delta": DELTA, "sample_rate": 0.25, "steps": 200}
    noise = noise_multiplier_for(**plan, already=before)
    total = epsilon([*before, SubsampledGaussian(0.25, noise, 200)], DELTA)
    assert 7.9 < total <= 8.0
    assert noise > noise_multiplier_for(**plan)


def test_more_steps_sampling_or_thrift_need_more_noise() -> None:
    def noise(budget: float = 2.0, rate: float = 0.2, steps: int = 100) -> float:
        return noise_multiplier_for(epsilon=budget, delta=DELTA, sample_rate=rate, steps=steps)

    assert noise() < min(noise(budget=1.0), noise(rate=0.3), noise(steps=200))


def test_no_noise_is_enough_for_a_spent_budget() -> None:
    with pytest.raises(BudgetExceededError, match="spent already"):
        noise_multiplier_for(epsilon=3.0, delta=DELTA, sample_rate=0.25, steps=10, already=[KNOWN])


@pytest.mark.parametrize(
    "change", [{"epsilon": 0.0}, {"epsilon": math.inf}, {"sample_rate": 0.0}, {"steps": 0}]
)
def test_calibration_refuses_what_makes_no_sense(change: dict[str, float]) -> None:
    plan = {"epsilon": 8.0, "delta": DELTA, "sample_rate": 0.25, "steps": 10}
    with pytest.raises(PrivacyError):
        noise_multiplier_for(**plan | change)


@pytest.mark.parametrize("sigma", [0.11, 0.2, 0.29, 150.0, 1000.0])
def test_very_little_and_very_much_noise_agree_with_the_closed_form(sigma: float) -> None:
    found = epsilon([SubsampledGaussian(1.0, sigma, 1)], DELTA)
    expected = analytic_gaussian(sigma, DELTA)
    assert expected * (1 - 1e-6) <= found <= expected * (1 + 2e-3)


@pytest.mark.parametrize(
    ("rate", "steps", "sigma"), [(0.01, 1000, 40.0), (0.001, 10_000, 10.0), (0.25, 48, 300.0)]
)
def test_tiny_losses_agree_with_the_central_limit(rate: float, steps: int, sigma: float) -> None:
    """Dong, Roth & Su 2019 (arXiv:1905.02383), corollary 5.4: many small steps are a Gaussian."""
    mu = rate * math.sqrt(steps * math.expm1(sigma**-2))
    found = epsilon([SubsampledGaussian(rate, sigma, steps)], DELTA)
    assert found == pytest.approx(analytic_gaussian(1 / mu, DELTA), rel=1e-2)


def test_large_losses_of_a_sampled_step_agree_with_quadrature() -> None:
    found = epsilon([SubsampledGaussian(0.01, 0.3, 1)], DELTA)
    assert found == pytest.approx(wide_quadrature(0.01, 0.3, DELTA), rel=1e-3)


def wide_quadrature(q: float, sigma: float, delta: float) -> float:
    """Epsilon of one sampled Gaussian with little noise, by patients who are added."""
    x = np.linspace(-12 * sigma, 1 + 12 * sigma, 400_001)
    plain = norm.pdf(x, 0, sigma)
    mixed = (1 - q) * plain + q * norm.pdf(x, 1, sigma)

    def excess(eps: float) -> float:
        return np.trapezoid(np.maximum(mixed - math.exp(eps) * plain, 0.0), x) - delta

    return brentq(excess, 0, 60, xtol=1e-6)


@pytest.mark.parametrize(("rate", "steps"), [(0.001, 1000), (0.05, 20)])
def test_epsilon_does_not_jump_with_the_noise(rate: float, steps: int) -> None:
    noises = np.linspace(0.34, 0.2, 15)
    found = np.array([epsilon([SubsampledGaussian(rate, n, steps)], DELTA) for n in noises])
    assert (np.diff(found) > 0).all()
    assert (found[1:] / found[:-1]).max() < 1.25


@pytest.mark.parametrize(
    ("budget", "rate", "steps"),
    [(0.01, 0.01, 300), (0.03, 0.25, 48), (30.0, 0.01, 300), (60.0, 0.05, 20), (90.0, 0.25, 12)],
)
def test_the_noise_is_the_least_also_for_tiny_and_large_budgets(
    budget: float, rate: float, steps: int
) -> None:
    noise = noise_multiplier_for(epsilon=budget, delta=DELTA, sample_rate=rate, steps=steps)
    assert epsilon([SubsampledGaussian(rate, noise, steps)], DELTA) <= budget
    less = SubsampledGaussian(rate, noise * 0.995 - 1e-4, steps)
    assert epsilon([less], DELTA) > budget


@pytest.mark.parametrize("budget", [0.02, 40.0])
def test_the_least_noise_of_one_step_agrees_with_the_closed_form(budget: float) -> None:
    noise = noise_multiplier_for(epsilon=budget, delta=DELTA, sample_rate=1.0, steps=1)
    expected = brentq(lambda sigma: analytic_gaussian(sigma, DELTA) - budget, 0.05, 500)
    assert expected <= noise + 1e-4
    assert noise <= expected * 1.002 + 1e-4
