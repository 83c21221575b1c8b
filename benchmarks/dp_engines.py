"""Per-patient gradients by other means than fedscan's, for ``dp_step.py`` to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from fedscan.model.example import LatentRows
from fedscan.model.generator import Generator
from fedscan.model.objective import diffusion_loss
from fedscan.privacy.clipping import ClippedSum
from fedscan.privacy.gradients import patient_stream
from fedscan.privacy.stream import SecretStream
from opacus.grad_sample import GradSampleHooks
from torch import Tensor, nn

VMAP_PATIENTS = 4


def chunks(items: Sequence[int], size: int) -> list[Sequence[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


class RandomRows:
    """The generator's own loss on random latents, a caption and no spatial condition."""

    def __init__(self, generator: Generator, draws: int) -> None:
        self.module = generator
        self.draws = draws
        self.caption = generator.embed(["MR T1, head, axial"])

    def draw(self, patient: int, stream: SecretStream) -> tuple[Tensor, ...]:
        shape = (self.draws, *self.module.latent_shape)
        return (
            stream.normal(shape),
            self.caption.expand(self.draws, -1, -1),
            torch.from_numpy(stream.uniform(self.draws)).float(),
            torch.from_numpy(stream.integers(0, 1000, self.draws)),
            stream.normal(shape),
        )

    def row_losses(self, rows: tuple[Tensor, ...]) -> Tensor:
        latents, text, position, timesteps, noise = rows
        batch = LatentRows(latents=latents, text=text, position=position)
        return diffusion_loss(self.module, batch, timesteps, noise)

    def __call__(self, patient: int, stream: SecretStream) -> Tensor:
        return self.row_losses(self.draw(patient, stream)).mean()


class AsModule(nn.Module):
    """A loss in the form that ``torch.func.functional_call`` needs."""

    def __init__(self, loss: RandomRows) -> None:
        super().__init__()
        self.module = loss.module
        self.row_losses = loss.row_losses

    def forward(self, *rows: Tensor) -> Tensor:
        return self.row_losses(rows).mean()


class VmapGradients:
    """Per-patient gradients by vectorising over chunks of patients."""

    def clipped_sum(
        self,
        parameters: Mapping[str, nn.Parameter],
        patients: Sequence[int],
        loss: RandomRows,
        clip_norm: float,
        stream: SecretStream,
    ) -> Tensor:
        names = {f"module.{name}": value for name, value in parameters.items()}
        module = AsModule(loss)

        def one(values: dict[str, Tensor], rows: tuple[Tensor, ...]) -> Tensor:
            return torch.func.functional_call(module, values, rows)

        each = torch.func.vmap(torch.func.grad(one), in_dims=(None, 0))
        total = ClippedSum(sum(p.numel() for p in names.values()), clip_norm)
        for chunk in chunks(patients, VMAP_PATIENTS):
            examples = [loss.draw(i, patient_stream(stream, i)) for i in chunk]
            rows = tuple(torch.stack(column) for column in zip(*examples, strict=True))
            gradients = each({name: value.detach() for name, value in names.items()}, rows)
            for vector in torch.cat([gradients[name].flatten(1) for name in names], dim=1):
                total.add(vector)
        return total.total()


class HookGradients:
    """Opacus' gradient per row of all patients at once, summed for each patient."""

    def __init__(self, generator: Generator) -> None:
        generator.unet.train()
        self.hooks = GradSampleHooks(generator.unet, loss_reduction="sum", strict=False)

    def clipped_sum(
        self,
        parameters: Mapping[str, nn.Parameter],
        patients: Sequence[int],
        loss: RandomRows,
        clip_norm: float,
        stream: SecretStream,
    ) -> Tensor:
        examples = [loss.draw(i, patient_stream(stream, i)) for i in patients]
        columns = tuple(torch.cat(column) for column in zip(*examples, strict=True))
        loss.row_losses(columns).sum().backward()
        of_patient = torch.arange(len(patients)).repeat_interleave(loss.draws)
        parts = []
        for parameter in parameters.values():
            part = torch.zeros(len(patients), parameter.numel())
            if getattr(parameter, "grad_sample", None) is not None:
                rows = parameter.grad_sample.flatten(1)
                part.index_add_(0, of_patient, rows, alpha=1 / loss.draws)
            parts.append(part)
        total = ClippedSum(sum(p.numel() for p in parameters.values()), clip_norm)
        for vector in torch.cat(parts, dim=1):
            total.add(vector)
        self.hooks.set_grad_sample_to_none()
        for parameter in parameters.values():
            parameter.grad = None
        return total.total()
