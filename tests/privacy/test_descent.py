import pytest
import torch
from fedscan.errors import PrivacyError
from fedscan.privacy.descent import Descent, DescentSettings
from torch import nn


def start() -> dict[str, nn.Parameter]:
    torch.manual_seed(0)
    return {"a": nn.Parameter(torch.randn(2, 3)), "b": nn.Parameter(torch.randn(4))}


def flat(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in tensors.values()])


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_constant_gradient_is_followed_downhill(optimizer: str) -> None:
    parameters = start()
    before = flat(parameters).clone()
    descent = Descent(parameters, DescentSettings(learning_rate=0.1, optimizer=optimizer))
    gradient = torch.linspace(-1, 1, 10, dtype=torch.float64)
    for _ in range(3):
        descent.step(gradient)
    moved = flat(descent.result()) - before
    assert torch.all(moved * gradient < 0)
    assert torch.equal(flat(descent.result()), flat(parameters))


def test_plain_descent_steps_by_the_learning_rate() -> None:
    parameters = start()
    before = flat(parameters).clone()
    descent = Descent(parameters, DescentSettings(learning_rate=0.5, optimizer="sgd"))
    descent.step(torch.arange(10.0))
    torch.testing.assert_close(flat(descent.result()), before - 0.5 * torch.arange(10.0))


def test_the_proximal_term_pulls_back_to_the_start() -> None:
    parameters = start()
    before = flat(parameters).clone()
    settings = DescentSettings(learning_rate=0.1, optimizer="sgd", proximal_mu=1.0)
    descent = Descent(parameters, settings)
    descent.step(torch.ones(10))
    for _ in range(200):
        descent.step(torch.zeros(10))
    torch.testing.assert_close(flat(descent.result()), before)
    for _ in range(200):
        descent.step(torch.ones(10))
    # The pull balances the gradient where mu times the distance equals it.
    torch.testing.assert_close(flat(descent.result()), before - 1)


def test_the_average_lags_behind_the_last_weights() -> None:
    parameters = start()
    before = flat(parameters).clone()
    settings = DescentSettings(learning_rate=0.1, optimizer="sgd", ema_decay=0.9)
    descent = Descent(parameters, settings)
    for _ in range(200):
        descent.step(torch.ones(10))
    average, last = before - flat(descent.result()), before - flat(parameters)
    torch.testing.assert_close(last, torch.full((10,), 20.0), rtol=0, atol=1e-3)
    # A steady walk's average of decay d lags d / (1 - d) steps.
    torch.testing.assert_close(average, torch.full((10,), 20.0 - 0.9), rtol=0, atol=0.01)


def test_results_do_not_change_when_training_goes_on() -> None:
    descent = Descent(start(), DescentSettings(learning_rate=0.1))
    result = descent.result()
    before = flat(result).clone()
    descent.step(torch.ones(10))
    assert torch.equal(flat(result), before)


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"optimizer": "lbfgs"},
        {"momentum": 1.0},
        {"proximal_mu": -1.0},
        {"ema_decay": 1.0},
    ],
)
def test_refuses_settings_out_of_range(change: dict[str, object]) -> None:
    with pytest.raises(PrivacyError, match=next(iter(change))):
        DescentSettings(**{"learning_rate": 0.1} | change)
