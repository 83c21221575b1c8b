"""Private training as a whole: what one patient can change, and what the noise hides."""

import dataclasses
import math

import pytest
import torch
from fedscan.errors import PrivacyError
from fedscan.privacy.descent import DescentSettings
from fedscan.privacy.dp_sgd import TrainingResult, run_private_steps, run_unprotected_steps
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.stream import SecretStream
from scipy import stats
from torch import Tensor, nn

KEY = bytes(range(32))
SGD = DescentSettings(learning_rate=1.0, optimizer="sgd")


class Scans:
    """A linear model on patients with different numbers of scans; K draws of each per step."""

    def __init__(self, counts: list[int], draws: int = 4, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.module = nn.Linear(6, 3)
        self.scans = [10 * torch.randn(count, 6) for count in counts]
        self.draws = draws

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        return dict(self.module.named_parameters())

    def __call__(self, patient: int, stream: SecretStream) -> Tensor:
        scans = self.scans[patient]
        chosen = stream.integers(0, len(scans), self.draws)
        return self.module(scans[torch.from_numpy(chosen)]).square().mean()


def train(
    data: Scans,
    *,
    key: bytes = KEY,
    mechanism: SubsampledGaussian | None = None,
    descent: DescentSettings = SGD,
    clip_norm: float = 0.5,
    expected_patients: float = 10.0,
) -> TrainingResult:
    return run_private_steps(
        data.parameters,
        data,
        population=len(data.scans),
        expected_patients=expected_patients,
        mechanism=mechanism or SubsampledGaussian(1.0, 2.0, 1),
        clip_norm=clip_norm,
        descent=descent,
        stream=SecretStream(key, "training"),
    )


def flat(tensors: dict[str, Tensor]) -> Tensor:
    return torch.cat([value.detach().flatten().double() for value in tensors.values()])


@pytest.mark.parametrize("scans", [1, 40])
def test_a_patient_with_many_scans_moves_the_update_no_more_than_one_with_one(scans: int) -> None:
    # The same secret means the same noise: what is left is the patient.
    with_patient = flat(train(Scans([3] * 9 + [scans])).tensors)
    without = flat(train(Scans([3] * 9)).tensors)
    moved = float((with_patient - without).norm())
    # Its gradient is far larger than the clip norm, so it moves the update by all it may.
    bound = 0.5 / 10
    assert moved <= bound * (1 + 1e-5)
    assert moved > 0.99 * bound


def test_noise_is_what_was_paid_for() -> None:
    module = Scans([])
    noises = []
    for number in range(400):
        before = flat(module.parameters)
        key = number.to_bytes(32, "big")
        after = train(module, key=key, mechanism=SubsampledGaussian(0.2, 3.0, 1))
        # Nobody is there, and noise is added all the same: sigma 3 x clip 0.5 / (0.2 x 10).
        noises.append((flat(after.tensors) - before) / (3.0 * 0.5 / (0.2 * 10)))
    noise = torch.stack(noises)
    assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 1e-3
    assert abs(float(noise.std()) - 1) < 4 / (2 * noise.numel()) ** 0.5
    correlation = torch.corrcoef(noise.T) - torch.eye(noise.shape[1])
    assert float(correlation.abs().max()) < 5 / len(noise) ** 0.5


def test_each_step_has_its_own_noise_and_draw() -> None:
    module = Scans([])
    start = flat(module.parameters)
    one = flat(train(module, mechanism=SubsampledGaussian(0.2, 3.0, 1)).tensors) - start
    module = Scans([])
    two = flat(train(module, mechanism=SubsampledGaussian(0.2, 3.0, 2)).tensors) - start
    assert not torch.allclose(two, 2 * one, rtol=0.1)


def test_the_same_secret_replays_to_the_same_bytes_and_another_does_not() -> None:
    adam = DescentSettings(learning_rate=0.1, ema_decay=0.9, proximal_mu=0.1)
    steps = SubsampledGaussian(0.5, 1.0, 5)
    runs = [
        flat(train(Scans([1, 2, 3] * 5), key=key, mechanism=steps, descent=adam).tensors)
        for key in (KEY, KEY, bytes(32))
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.allclose(runs[0], runs[2])


def test_the_update_scales_with_public_numbers_only() -> None:
    small = flat(train(Scans([2] * 9), expected_patients=10).tensors)
    large = flat(train(Scans([2] * 9), expected_patients=20).tensors)
    start = flat(Scans([2] * 9).parameters)
    torch.testing.assert_close(small - start, 2 * (large - start), rtol=1e-4, atol=1e-6)


def test_it_learns() -> None:
    data = Scans([1, 2, 3] * 30)
    before = float(data.module.weight.detach().norm())
    train(
        data,
        mechanism=SubsampledGaussian(0.3, 1.0, 100),
        descent=DescentSettings(learning_rate=0.03),
        expected_patients=90,
    )
    # The best map of random scans to zeros is zero.
    assert float(data.module.weight.detach().norm()) < 0.3 * before


def test_a_patient_without_finite_loss_changes_nothing() -> None:
    data = Scans([3] * 5)
    data.scans[2][:] = math.nan
    found = flat(train(data).tensors)
    assert torch.isfinite(found).all()


def test_a_result_holds_weights_and_public_numbers_only() -> None:
    result = train(Scans([3] * 5))
    assert {field.name for field in dataclasses.fields(result)} == {
        "tensors",
        "private",
        "mechanism",
    }
    assert result.private
    assert result.mechanism == SubsampledGaussian(1.0, 2.0, 1)
    assert all(not value.requires_grad for value in result.tensors.values())


def test_private_training_without_noise_is_refused() -> None:
    with pytest.raises(PrivacyError, match="without noise"):
        train(Scans([1]), mechanism=SubsampledGaussian(0.5, 0.0, 1))


@pytest.mark.parametrize("clip_norm", [0.0, math.inf, math.nan])
def test_private_training_without_clipping_is_refused(clip_norm: float) -> None:
    with pytest.raises(PrivacyError, match="clip_norm"):
        train(Scans([1]), clip_norm=clip_norm)


@pytest.mark.parametrize("expected", [0.0, -1.0, math.inf, math.nan])
def test_private_training_needs_a_scale(expected: float) -> None:
    with pytest.raises(PrivacyError, match="expected_patients"):
        train(Scans([1]), expected_patients=expected)


def test_unprotected_training_says_so_and_follows_the_plain_mean() -> None:
    data = Scans([1] * 4, draws=1)
    expected = Scans([1] * 4, draws=1)
    loss = torch.stack([expected(i, SecretStream(KEY, "any")) for i in range(4)]).mean()
    gradient = torch.autograd.grad(loss, list(expected.module.parameters()))
    start = flat(data.parameters)
    result = run_unprotected_steps(
        data.parameters,
        data,
        population=4,
        sample_rate=1.0,
        steps=1,
        descent=SGD,
        stream=SecretStream(KEY, "open"),
    )
    assert not result.private
    assert result.mechanism is None
    moved = torch.cat([part.flatten() for part in gradient]).double()
    torch.testing.assert_close(flat(result.tensors), start - moved, rtol=1e-5, atol=1e-5)


def test_unprotected_training_survives_a_draw_of_nobody() -> None:
    data = Scans([])
    start = flat(data.parameters)
    result = run_unprotected_steps(
        data.parameters,
        data,
        population=0,
        sample_rate=0.5,
        steps=3,
        descent=SGD,
        stream=SecretStream(KEY, "open"),
    )
    assert torch.equal(flat(result.tensors), start)
