import json
import math

import pytest
from fedscan.errors import PrivacyError
from fedscan.privacy.mechanism import MAX_STEPS, SubsampledGaussian
from hypothesis import given
from hypothesis import strategies as st


@given(
    rate=st.floats(0, 1, exclude_min=True),
    noise=st.floats(0, 1e6),
    steps=st.integers(1, MAX_STEPS),
)
def test_survives_being_written_as_json(rate: float, noise: float, steps: int) -> None:
    mechanism = SubsampledGaussian(rate, noise, steps)
    assert SubsampledGaussian.from_dict(json.loads(json.dumps(mechanism.to_dict()))) == mechanism


def test_whole_numbers_are_written_as_the_floats_they_equal() -> None:
    assert json.dumps(SubsampledGaussian(1, 2, 3).to_dict()) == json.dumps(
        SubsampledGaussian(1.0, 2.0, 3).to_dict()
    )


@pytest.mark.parametrize("rate", [0, -0.1, 1.01, math.nan, "0.5", None, True])
def test_refuses_a_sample_rate_out_of_range(rate: object) -> None:
    with pytest.raises(PrivacyError, match="sample_rate"):
        SubsampledGaussian(rate, 1.0, 1)


@pytest.mark.parametrize("noise", [-1, math.inf, math.nan, "1", None])
def test_refuses_noise_out_of_range(noise: object) -> None:
    with pytest.raises(PrivacyError, match="noise_multiplier"):
        SubsampledGaussian(0.5, noise, 1)


@pytest.mark.parametrize("steps", [0, -1, 1.5, MAX_STEPS + 1, "1", True, None])
def test_refuses_steps_out_of_range(steps: object) -> None:
    with pytest.raises(PrivacyError, match="steps"):
        SubsampledGaussian(0.5, 1.0, steps)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"sample_rate": 0.5, "noise_multiplier": 1.0},
        {"sample_rate": 0.5, "noise_multiplier": 1.0, "steps": 1, "epsilon": 0.1},
        [0.5, 1.0, 1],
        None,
    ],
)
def test_refuses_other_keys(values: object) -> None:
    with pytest.raises(PrivacyError, match="exactly"):
        SubsampledGaussian.from_dict(values)
