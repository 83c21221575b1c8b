"""Per-patient gradients by other means than fedscan's, for ``dp_step.py`` to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from diffusers import UNet2DConditionModel
from fedscan.model.example import LatentRows
from fedscan.model.generator import Generator, build_generator
from fedscan.model.objective import diffusion_loss
from fedscan.model.settings import GeneratorSettings
from fedscan.privacy.clipping import ClippedSum
from fedscan.privacy.gradients import patient_stream
from fedscan.privacy.stream import SecretStream
from opacus.grad_sample import GradSampleHooks
from torch import Tensor, nn

VMAP_PATIENTS = 4
#: Channels by resolution and blocks at each, of Stable Diffusion 1.5 and of half of it.
STABLE_DIFFUSION = {"sd": ((320, 640, 1280, 1280), 2), "sd-half": ((320, 640, 1280), 1)}


def built(size: str) -> Generator:
    """Return a generator of a size with random weights."""
    if size not in STABLE_DIFFUSION:
        return build_generator(GeneratorSettings(size=size), seed=0)
    channels, blocks = STABLE_DIFFUSION[size]
    down = ("CrossAttnDownBlock2D",) * (len(channels) - 1) + ("DownBlock2D",)
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            sample_size=32,  # cells of 256 pixels
            block_out_channels=channels,
            layers_per_block=blocks,
            cross_attention_dim=768,
            attention_head_dim=8,
            down_block_types=down,
            up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (len(channels) - 1),
        )
    unet.to_empty(device="cpu")
    torch.manual_seed(0)
    with torch.no_grad():
        for name, value in unet.named_parameters():
            # As at a start: norms leave what they get, and layers keep its size.
            if value.ndim > 1:
                value.normal_(std=value[0].numel() ** -0.5)
            else:
                value.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
    rest = build_generator(GeneratorSettings(size="tiny"))
    return Generator(unet, None, rest.autoencoder, rest.caption_encoder, rest.scheduler)


def chunks(items: Sequence[int], size: int) -> list[Sequence[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


class RandomRows:
    """The generator's own loss on random latents, a caption and no spatial condition."""

    def __init__(self, generator: Generator, draws: int) -> None:
        self.module = generator
        self.draws = draws
        # Of a Stable Diffusion's U-Net the text encoder is not there: any text is as long.
        width = generator.unet.config.cross_attention_dim
        own = generator.embed(["MR T1, head, axial"])
        self.caption = own if own.shape[-1] == width else torch.randn(1, 77, width)

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
