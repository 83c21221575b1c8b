"""Whether an image's anatomy is plausible: a segmenter, a population, and a threshold.

The threshold is chosen on real images of patients that neither the segmenter nor the population
has seen. A saved model has learnt from real images without privacy: it stays where those may
be seen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from ...common.files import write_atomically
from ...errors import ModelError
from ...model.description import Description
from .population import Kind, score
from .segmenter import Segmented, build_segmenter, segment
from .shapes import FEATURES, shape_features

#: Name of the file that holds a model, in an examination's folder.
FILE = "plausibility.safetensors"
_FORM = "fedscan plausibility 1"
_ARRAYS = ("means", "scale", "precision", "limits")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a model says of images.

    Attributes:
        scores: ``[N]``, larger is less plausible; NaN for kinds of images not learnt.
        deviations: From the population, in standard deviations ``[N, F]``.
        implausible: ``[N]``: whether the score exceeds the threshold.
        anatomy: The anatomy that was found.
    """

    scores: NDArray[np.float64]
    deviations: NDArray[np.float64]
    implausible: NDArray[np.bool_]
    anatomy: Segmented


@dataclass(frozen=True, kw_only=True)
class PlausibilityModel:
    """Judges images by the anatomy that a segmenter finds in them.

    Attributes:
        segmenter: The network.
        population: The range of every kind of image.
        threshold: Scores above it are implausible.
        image_size: Side of the images in pixels.
    """

    segmenter: nn.Module
    population: dict[str, Kind]
    threshold: float
    image_size: int

    def judge(
        self,
        images: NDArray[np.float32],
        descriptions: Sequence[Description],
        positions: NDArray[np.float32],
    ) -> Judged:
        """Judge images.

        Args:
            images: ``[N, H, W]`` in [-1, 1].
            descriptions: What each is to show.
            positions: Slice positions ``[N]``.

        Raises:
            ModelError: If the images have another size than those learnt from.
        """
        if images.shape[1:] != (self.image_size, self.image_size):
            raise ModelError(
                f"The plausibility model judges images of {self.image_size} pixels, not "
                f"{images.shape[1:]}.",
                hint="Examine the generator that draws them.",
            )
        anatomy = segment(self.segmenter, images)
        features = shape_features(anatomy.masks, anatomy.doubt, list(descriptions))
        scores, deviations = score(self.population, features, descriptions, positions)
        return Judged(
            scores=scores,
            deviations=deviations,
            implausible=np.nan_to_num(scores) > self.threshold,
            anatomy=anatomy,
        )

    def save(self, folder: Path) -> Path:
        """Write the model into a folder; return the file."""
        tensors = {f"segmenter.{name}": t for name, t in self.segmenter.state_dict().items()}
        for number, kind in enumerate(self.population.values()):
            tensors |= {
                f"kind.{number}.{name}": torch.from_numpy(getattr(kind, name)) for name in _ARRAYS
            }
        about = {
            "form": _FORM,
            "threshold": self.threshold,
            "image_size": self.image_size,
            "features": list(FEATURES),
            "kinds": [[name, kind.images] for name, kind in self.population.items()],
        }
        content = {name: tensor.contiguous() for name, tensor in tensors.items()}
        file = folder / FILE
        write_atomically(file, save(content, {"about": json.dumps(about)}))
        return file

    @classmethod
    def load(cls, folder: Path) -> PlausibilityModel:
        """Read the model of an examination's folder.

        Raises:
            ModelError: If there is none, or it is damaged or of another version.
        """
        file = folder / FILE
        if not file.is_file():
            raise ModelError(
                f"There is no plausibility model in {folder}.",
                hint="`fedscan examine` writes one with the section anatomy, where scans have "
                "masks; give the folder that it wrote to.",
            )
        try:
            with safe_open(file, framework="pt") as stream:
                about = json.loads(stream.metadata()["about"])
                tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
            if about["form"] != _FORM or about["features"] != list(FEATURES):
                raise ValueError("another version")
            segmenter = build_segmenter()
            segmenter.load_state_dict(
                {
                    name.removeprefix("segmenter."): tensor
                    for name, tensor in tensors.items()
                    if name.startswith("segmenter.")
                }
            )
            population = {
                name: Kind(
                    images=images,
                    **{part: tensors[f"kind.{number}.{part}"].numpy() for part in _ARRAYS},
                )
                for number, (name, images) in enumerate(about["kinds"])
            }
            return cls(
                segmenter=segmenter.eval(),
                population=population,
                threshold=float(about["threshold"]),
                image_size=int(about["image_size"]),
            )
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise ModelError(
                f"The plausibility model {file} cannot be read.", hint="Examine again."
            ) from error
