"""What training takes of a device's memory, measured without computing anything."""

from __future__ import annotations

import json
import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, T2IAdapter, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call

from ..generator import Generator
from ..networks.block_autoencoder import BlockAutoencoder
from ..outline import is_own, read_image_sizes, size_taken
from ..settings import TrainableSettings
from ..text_encoder import CaptionEncoder
from ..trainable import select_trainable

#: Share of the free memory that a pass may plan to take: what a framework keeps aside, and others.
_SHARE = 0.6
#: Parts of a U-Net that are computed a second time, one by one, where memory is short.
_PARTS = 8
#: Trained numbers are there in float32, with Adam's two means; their sum in float64, twice.
_BYTES_PER_TRAINED = 3 * 4 + 2 * 8
_MEMORY = Path("/proc/meminfo")


@dataclass(frozen=True, kw_only=True)
class MemoryNeed:
    """What training takes, in bytes.

    Attributes:
        weights: The generator's weights.
        training: What is kept of all trained numbers, besides their weights.
        vector: The gradient of one patient.
        row: What a pass keeps of one row, for its way back.
        row_computed_twice: The same where most is computed a second time instead.
    """

    weights: int
    training: int
    vector: int
    row: int
    row_computed_twice: int


@dataclass(frozen=True, kw_only=True)
class Passes:
    """How patients' rows go through the network.

    Attributes:
        rows: Rows of one pass at most.
        twice: Whether most of a pass is computed a second time on its way back, to keep less.
    """

    rows: int
    twice: bool = False


def measure_need(generator: Generator, trainable: TrainableSettings) -> MemoryNeed:
    """Measure what training of a generator takes, by a pass through tensors without numbers.

    Args:
        generator: Its configurations; not changed. One of :func:`open_outline` will do.
        trainable: What trains.
    """
    outline = _outline(generator)
    parameters = select_trainable(outline, trainable)
    if generator.device.type == "cpu" and trainable.frozen_weights != "float32":
        outline.unet.set_attn_processor(AttnProcessor())  # as it will be computed there
    numbers = sum(parameter.numel() for parameter in parameters.values())
    row = _row_bytes(outline)
    outline.unet.enable_gradient_checkpointing()
    between = _row_bytes(outline)
    weights = sum(value.nbytes for value in (*outline.parameters(), *outline.buffers()))
    return MemoryNeed(
        weights=weights,
        training=_BYTES_PER_TRAINED * numbers,
        vector=4 * numbers,
        row=row,
        row_computed_twice=between + math.ceil(row / _PARTS),
    )


def open_outline(folder: Path, image_size: int | None = None) -> Generator:
    """Open a generator's configurations, without its weights.

    Args:
        folder: A folder that :func:`~fedscan.model.storage.load_generator` opens.
        image_size: Side of its images in pixels; its own by default, and where it does not take
            that.

    Raises:
        ModelError: If it is none.
    """
    side = size_taken(folder, image_size)
    own = is_own(folder / "model_index.json")
    kinds = {"AutoencoderKL": AutoencoderKL, "BlockAutoencoder": BlockAutoencoder}
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(_config(folder / "unet"))
        has_adapter = (folder / "adapter").is_dir()
        adapter = T2IAdapter.from_config(_config(folder / "adapter")) if has_adapter else None
        vae = _config(folder / "vae")
        autoencoder = kinds[vae["_class_name"]].from_config(vae)
    if own:
        captions = CaptionEncoder.from_pretrained(folder / "caption_encoder")
    else:
        length = int(_config(folder / "text_encoder")["max_position_embeddings"])
        captions = CaptionEncoder(str(folder), length, keep_padding=True)
        autoencoder.register_to_config(sample_size=read_image_sizes(folder)[0])
    schedule = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    generator = Generator(unet, adapter, autoencoder, captions, schedule)
    generator.resize(side)
    return generator


def in_words(size: float) -> str:
    """Write a number of bytes for people."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size / 1e3:.3g} kB"


def plan_passes(need: MemoryNeed, free: int, *, draws: int, most: int) -> Passes:
    """Choose as many rows of whole patients as fit, and to compute twice only where none would.

    Args:
        need: What training takes.
        free: Bytes that are free, the weights already in their place.
        draws: Rows of one patient; so many go through in any case.
        most: Rows that keep the device busy: more are never chosen.
    """
    room = _SHARE * free - need.training

    def patients(row: int) -> int:
        return max(0, int(room // (need.vector + draws * row)))

    if plain := patients(need.row):
        return Passes(rows=max(draws, min(most, plain * draws)))
    fitting = max(1, patients(need.row_computed_twice))
    return Passes(rows=max(draws, min(most, fitting * draws)), twice=True)


def free_memory(device: torch.device) -> int:
    """Return how many bytes of a device's memory are free."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    limit = _least_limit()
    for line in _MEMORY.read_text("ascii").splitlines() if _MEMORY.exists() else ():
        if line.startswith("MemAvailable:"):
            return min(limit, 1024 * int(line.split()[1]))
    return limit


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device's memory has run out."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def forget_unused(device: torch.device) -> None:
    """Give back what PyTorch keeps aside of a device's memory."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _least_limit() -> int:
    """Return what the operating system still lets this process take."""
    import os
    import resource

    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    soft = resource.getrlimit(resource.RLIMIT_DATA)[0]
    return whole if soft == resource.RLIM_INFINITY else min(whole, soft)


def _outline(generator: Generator) -> Generator:
    """Return a generator of the same U-Net without numbers, and without anything else."""
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(generator.unet.config)
        adapter = generator.adapter
        if adapter is not None:
            adapter = type(adapter).from_config(adapter.config)
    outline = Generator(
        unet, adapter, generator.autoencoder, generator.caption_encoder, generator.scheduler
    )
    return outline.eval()


def _config(part: Path) -> Any:
    return json.loads((part / "config.json").read_text(encoding="utf-8"))


def _row_bytes(outline: Generator) -> int:
    """Count what one row's pass keeps for its way back; what several steps share counts once."""
    unet, config, sizes = outline.unet, outline.unet.config, dict[int, int]()
    length, width = outline.caption_encoder.length, config.cross_attention_dim
    width = width if isinstance(width, int) else max(width)
    # Made-up tensors of the CPU, not of the meta device: attention then is computed as it will be.
    with FakeTensorMode():
        weights = {
            name: torch.empty(value.shape, dtype=value.dtype, requires_grad=value.requires_grad)
            for name, value in unet.named_parameters()
        }
        own = {_place(value) for value in weights.values()}

        def count(tensor: Tensor) -> Tensor:
            if _place(tensor) not in own:
                sizes[_place(tensor)] = tensor.untyped_storage().nbytes()
            return tensor

        kind = unet.dtype
        latents = torch.empty(1, *outline.latent_shape, dtype=kind)
        text, positions = torch.empty(1, length, width, dtype=kind), None
        if outline.takes_position:
            features = config.projection_class_embeddings_input_dim
            positions = torch.empty(1, features, dtype=kind)
        inputs = (latents, torch.zeros(1, dtype=torch.long), text)
        keep = saved_tensors_hooks(count, lambda tensor: tensor)
        with torch.enable_grad(), keep, _precision(outline):
            # Kept until all is counted: a tensor's place is taken again when it is gone.
            result = functional_call(unet, weights, inputs, {"class_labels": positions})
        del result
    return sum(sizes.values())


def _precision(outline: Generator) -> AbstractContextManager[object]:
    """As the generator's own, on the CPU that the made-up tensors are of."""
    if outline.unet.dtype == torch.float32:
        return nullcontext()
    return torch.autocast("cpu", outline.unet.dtype)


def _place(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
