import numpy as np
import pytest
from fedscan.errors import PrivacyError
from fedscan.privacy.sampling import poisson_sample
from fedscan.privacy.stream import SecretStream
from scipy import stats

KEY = bytes(range(32))


def test_a_rate_of_one_takes_everybody() -> None:
    assert poisson_sample(SecretStream(KEY, ""), 100, 1.0) == list(range(100))


def test_nobody_is_a_valid_draw() -> None:
    assert poisson_sample(SecretStream(KEY, ""), 0, 0.5) == []
    assert [] in [poisson_sample(SecretStream(KEY, str(i)), 2, 0.2) for i in range(20)]


def test_patients_are_drawn_independently_with_the_same_chance() -> None:
    rate, population, steps = 0.3, 20, 20_000
    stream = SecretStream(KEY, "draws")
    drawn = np.zeros((steps, population))
    for row in drawn:
        row[poisson_sample(stream, population, rate)] = 1
    error = (rate * (1 - rate) / steps) ** 0.5
    assert np.abs(drawn.mean(0) - rate).max() < 4 * error
    correlation = np.corrcoef(drawn.T) - np.eye(population)
    assert np.abs(correlation).max() < 5 / steps**0.5
    # The batch size is binomial: a fixed size would void the accounting.
    sizes = np.bincount(drawn.sum(1).astype(int), minlength=population + 1)
    expected = stats.binom.pmf(np.arange(population + 1), population, rate) * steps
    common = expected > 5
    scale = sizes[common].sum() / expected[common].sum()
    assert stats.chisquare(sizes[common], expected[common] * scale).pvalue > 1e-3


def test_the_same_secret_draws_the_same_patients() -> None:
    draws = [poisson_sample(SecretStream(KEY, "x"), 1000, 0.1) for _ in range(2)]
    assert draws[0] == draws[1]
    assert draws[0] == sorted(set(draws[0]))


@pytest.mark.parametrize(("population", "rate"), [(-1, 0.5), (10, 0.0), (10, 1.5), (10, np.nan)])
def test_refuses_numbers_out_of_range(population: int, rate: float) -> None:
    with pytest.raises(PrivacyError):
        poisson_sample(SecretStream(KEY, ""), population, rate)
