import math

import pytest
import torch
from fedscan.errors import PrivacyError
from fedscan.privacy.noise import release
from fedscan.privacy.stream import SecretStream
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

KEY = bytes(range(32))


@pytest.mark.parametrize("deviation", [0.01, 1.0, 300.0])
def test_noise_has_the_asked_standard_deviation_whatever_the_value(deviation: float) -> None:
    value = 5 * deviation * torch.linspace(-1, 1, 200_000, dtype=torch.float64)
    noise = (release(value, deviation, SecretStream(KEY, "noise")) - value).numpy() / deviation
    assert stats.kstest(noise, "norm").pvalue > 1e-3
    assert abs(noise.std() - 1) < 4 / (2 * len(noise)) ** 0.5


@given(deviation=st.floats(1e-6, 1e6), low_bits=st.floats(0, 1e-3))
def test_what_is_released_lies_on_a_grid_that_knows_nothing_of_the_value(
    deviation: float, low_bits: float
) -> None:
    grid = 2.0 ** (math.floor(math.log2(deviation)) - 16)
    value = torch.full((50,), low_bits * deviation, dtype=torch.float64)
    steps = release(value, deviation, SecretStream(KEY, "grid")) / grid
    assert torch.equal(steps, steps.round())


@pytest.mark.parametrize("deviation", [0.0, -1.0, math.inf, math.nan])
def test_refuses_to_release_without_noise(deviation: float) -> None:
    with pytest.raises(PrivacyError, match="standard deviation"):
        release(torch.zeros(3, dtype=torch.float64), deviation, SecretStream(KEY, ""))
