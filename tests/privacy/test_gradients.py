"""Every engine against one patient at a time, on real networks."""

from collections.abc import Callable

import pytest
import torch
from diffusers import UNet2DConditionModel
from fedscan.errors import PrivacyError
from fedscan.privacy.engines import choose_engine
from fedscan.privacy.gradients import LoopGradients, PatientGradients, patient_stream
from fedscan.privacy.layerwise import LayerwiseGradients
from fedscan.privacy.stream import SecretStream
from peft import LoraConfig
from torch import Tensor, nn

STREAM = SecretStream(bytes(range(32)), "step")
PATIENTS = [4, 0, 7, 2, 5]
CLIP_NORM = 0.3
ENGINES = [LoopGradients(), LayerwiseGradients(rows_at_once=7)]


class UNetLoss:
    """Three rows of noise a patient, more of it for later patients."""

    def __init__(self, module: nn.Module, draws: int = 3) -> None:
        self.module = module
        self.draws = draws

    def draw(self, patient: int, stream: SecretStream) -> tuple[Tensor, ...]:
        return (
            stream.normal((self.draws, 4, 8, 8)) * (1 + patient),
            torch.from_numpy(stream.integers(0, 1000, self.draws)),
            stream.normal((self.draws, 5, 16)),
        )

    def row_losses(self, rows: tuple[Tensor, ...]) -> Tensor:
        latents, timesteps, text = rows
        predicted = self.module(latents, timesteps, text).sample
        return (predicted - latents).square().flatten(1).mean(1)

    def __call__(self, patient: int, stream: SecretStream) -> Tensor:
        return self.row_losses(self.draw(patient, stream)).mean()


def unet() -> UNet2DConditionModel:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=4,
    ).requires_grad_(False)


def attention() -> tuple[UNetLoss, dict[str, nn.Parameter]]:
    module = unet()
    return UNetLoss(module), chosen(module, lambda name: ".attn" in name)


def low_rank() -> tuple[UNetLoss, dict[str, nn.Parameter]]:
    module = unet()
    module.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    return UNetLoss(module), chosen(module, lambda name: "lora_" in name)


def norms() -> tuple[UNetLoss, dict[str, nn.Parameter]]:
    module = unet()
    parameters = chosen(module, lambda name: "norm" in name)
    for number, value in enumerate(parameters.values()):
        with torch.no_grad():  # as built, every scale is 1 and every shift 0
            value.add_(0.1 * torch.sin(torch.arange(value.numel()) + number))
    return UNetLoss(module), parameters


def everything() -> tuple[UNetLoss, dict[str, nn.Parameter]]:
    module = unet()
    return UNetLoss(module), chosen(module, lambda name: True)


def chosen(module: nn.Module, wanted: Callable[[str], bool]) -> dict[str, nn.Parameter]:
    parameters = {name: value for name, value in module.named_parameters() if wanted(name)}
    for value in parameters.values():
        value.requires_grad_(True)
    return parameters


def reference(loss: UNetLoss, parameters: dict[str, nn.Parameter]) -> list[Tensor]:
    """Each patient's gradient by a whole backward pass per row, summed in double precision."""
    gradients = []
    for patient in PATIENTS:
        rows = loss.draw(patient, patient_stream(STREAM, patient))
        gradient = torch.zeros(sum(p.numel() for p in parameters.values()), dtype=torch.float64)
        for row in range(loss.draws):
            loss.module.zero_grad()
            loss.row_losses(tuple(column[row : row + 1] for column in rows)).sum().backward()
            gradient += torch.cat([p.grad.flatten() for p in parameters.values()]) / loss.draws
        gradients.append(gradient)
    loss.module.zero_grad(set_to_none=True)
    return gradients


@pytest.mark.parametrize(
    ("build", "engine"),
    [
        (attention, ENGINES[0]),
        (attention, ENGINES[1]),
        (low_rank, ENGINES[0]),
        (low_rank, ENGINES[1]),
        (norms, ENGINES[0]),
        (norms, ENGINES[1]),
        (everything, ENGINES[0]),
    ],
)
def test_agrees_with_one_patient_at_a_time(
    build: Callable[[], tuple[UNetLoss, dict[str, nn.Parameter]]], engine: PatientGradients
) -> None:
    loss, parameters = build()
    gradients = reference(loss, parameters)
    norms = sorted(float(gradient.norm()) for gradient in gradients)
    clip_norm = (norms[1] + norms[2]) / 2  # two patients keep their length, three are clipped
    clipped = [g * min(1.0, clip_norm / float(g.norm())) for g in gradients]
    expected = sum(clipped)
    found = engine.clipped_sum(parameters, PATIENTS, loss, clip_norm, STREAM)
    assert float((found - expected).abs().max()) < 1e-6 * clip_norm
    assert float((found - expected).norm()) < 1e-6 * sum(float(part.norm()) for part in clipped)
    assert all(parameter.grad is None for parameter in parameters.values())


@pytest.mark.parametrize("build", [attention, low_rank, norms])
def test_a_network_that_is_computed_twice_to_save_memory_gives_the_same_bytes(
    build: Callable[[], tuple[UNetLoss, dict[str, nn.Parameter]]],
) -> None:
    """Gradient checkpointing keeps less of a pass; the layers are seen in it as without."""
    loss, parameters = build()

    def sum_and_bytes() -> tuple[Tensor, int]:
        sizes: list[int] = []

        def count(tensor: Tensor) -> Tensor:
            sizes.append(tensor.nbytes)
            return tensor

        engine = LayerwiseGradients(rows_at_once=7)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            found = engine.clipped_sum(parameters, PATIENTS, loss, CLIP_NORM, STREAM)
        return found, sum(sizes)

    whole, bytes_whole = sum_and_bytes()
    loss.module.enable_gradient_checkpointing()
    again, bytes_again = sum_and_bytes()
    assert torch.equal(again, whole)
    assert bytes_again < bytes_whole / 2


@pytest.mark.parametrize("engine", ENGINES)
def test_each_clipped_gradient_is_truncated_to_a_given_grid(engine: PatientGradients) -> None:
    loss, parameters = low_rank()
    grid = CLIP_NORM / 2**12
    fine = engine.clipped_sum(parameters, PATIENTS, loss, CLIP_NORM, STREAM)
    coarse = engine.clipped_sum(parameters, PATIENTS, loss, CLIP_NORM, STREAM, grid=grid)
    steps = coarse / grid
    assert (steps - steps.round()).abs().max() < 1e-6
    # Each patient's number loses less than a step, and towards zero.
    assert (coarse - fine).abs().max() < len(PATIENTS) * grid
    one = engine.clipped_sum(parameters, [4], loss, CLIP_NORM, STREAM, grid=grid)
    exact = engine.clipped_sum(parameters, [4], loss, CLIP_NORM, STREAM)
    assert (one.abs() <= exact.abs() + 1e-4 * grid).all()
    assert one.abs().sum() < exact.abs().sum()


@pytest.mark.parametrize("engine", ENGINES)
def test_who_else_is_drawn_does_not_change_a_patients_part(engine: PatientGradients) -> None:
    loss, parameters = attention()
    both = engine.clipped_sum(parameters, [3, 6], loss, CLIP_NORM, STREAM)
    alone = [engine.clipped_sum(parameters, [i], loss, CLIP_NORM, STREAM) for i in (3, 6)]
    assert float((both - sum(alone)).norm()) < 1e-5 * CLIP_NORM
    assert all(part.norm() <= CLIP_NORM for part in alone)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_draw_of_nobody_is_zero(engine: PatientGradients) -> None:
    loss, parameters = attention()
    found = engine.clipped_sum(parameters, [], loss, CLIP_NORM, STREAM)
    assert not found.any()
    assert len(found) == sum(parameter.numel() for parameter in parameters.values())


class TwoLinears(nn.Module):
    """Rows go through one of two layers, or through neither."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.used, self.unused = nn.Linear(4, 4), nn.Linear(4, 4)


class LinearLoss:
    draws = 2

    def __init__(self, use: Callable[[TwoLinears, Tensor], Tensor]) -> None:
        self.module = TwoLinears()
        self.use = use

    def draw(self, patient: int, stream: SecretStream) -> tuple[Tensor, ...]:
        return (stream.normal((2, 4)),)

    def row_losses(self, rows: tuple[Tensor, ...]) -> Tensor:
        return self.use(self.module, rows[0]).square().mean(1)

    def __call__(self, patient: int, stream: SecretStream) -> Tensor:
        return self.row_losses(self.draw(patient, stream)).mean()


@pytest.mark.parametrize("engine", [LoopGradients(), LayerwiseGradients()])
def test_a_parameter_that_a_step_does_not_use_has_zero_gradient(engine: PatientGradients) -> None:
    loss = LinearLoss(lambda module, rows: module.used(rows))
    parameters = dict(loss.module.named_parameters())
    found = engine.clipped_sum(parameters, [0, 1], loss, 1.0, STREAM)
    assert found[:20].abs().min() > 0
    assert not found[20:].any()


@pytest.mark.parametrize("engine", [LoopGradients(), LayerwiseGradients()])
def test_a_loss_that_uses_nothing_that_trains_has_zero_gradient(engine: PatientGradients) -> None:
    loss = LinearLoss(lambda module, rows: rows)
    found = engine.clipped_sum(dict(loss.module.named_parameters()), [0], loss, 1.0, STREAM)
    assert not found.any()


def in_place(module: TwoLinears, rows: Tensor) -> Tensor:
    return module.used(rows).mul_(2)


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda module, rows: module.used(rows.mT.contiguous().mT[None])[0], id="axis"),
        pytest.param(lambda module, rows: module.used(rows.flip(0)).flip(0), id="order"),
        pytest.param(lambda module, rows: rows @ module.used.weight, id="bypass"),
        pytest.param(in_place, id="in place"),
    ],
)
def test_layers_used_in_a_way_that_it_cannot_follow_are_refused(
    use: Callable[[TwoLinears, Tensor], Tensor],
) -> None:
    loss = LinearLoss(use)
    parameters = dict(loss.module.named_parameters())
    with pytest.raises(PrivacyError, match="loop"):
        LayerwiseGradients().clipped_sum(parameters, [0, 1, 2], loss, 1.0, STREAM)


class ChaoticLoss:
    """What rounding does to a row changes its gradient by far more than a hundredth."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.module = nn.Linear(300, 20)

    def draw(self, patient: int, stream: SecretStream) -> tuple[Tensor, ...]:
        return (stream.normal((3, 300)),)

    def row_losses(self, rows: tuple[Tensor, ...]) -> Tensor:
        return (1e7 * self.module(rows[0])).sin().mean(1)

    def __call__(self, patient: int, stream: SecretStream) -> Tensor:
        return self.row_losses(self.draw(patient, stream)).mean()


def test_where_rounding_hides_how_layers_are_used_patients_come_one_by_one() -> None:
    parameters = dict((loss := ChaoticLoss()).module.named_parameters())
    found = LayerwiseGradients().clipped_sum(parameters, list(range(9)), loss, 1e9, STREAM)
    alone = LoopGradients().clipped_sum(parameters, list(range(9)), loss, 1e9, STREAM)
    assert torch.equal(found, alone)


def test_the_fastest_engine_that_can_do_it_is_chosen() -> None:
    assert isinstance(choose_engine("auto", *reversed(attention())), LayerwiseGradients)
    assert isinstance(choose_engine("auto", *reversed(low_rank())), LayerwiseGradients)
    assert isinstance(choose_engine("auto", *reversed(norms())), LayerwiseGradients)
    loss, parameters = everything()
    assert isinstance(choose_engine("auto", parameters, loss), LoopGradients)
    assert isinstance(choose_engine("auto", parameters, lambda i, s: loss(i, s)), LoopGradients)
    with pytest.raises(PrivacyError, match="linear"):
        choose_engine("layerwise", parameters, loss).clipped_sum(parameters, [0], loss, 1.0, STREAM)
    with pytest.raises(PrivacyError, match="no engine"):
        choose_engine("hooks", parameters, loss)
