"""Images that must not be trained on: those that are, or nearly are, in another folder.

A base is public. An image of a hospital that also lies in a public set would be in it without
privacy, and every measure on that hospital's images would be flattered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

#: Side of the thumbnails that are compared, in pixels.
_SIDE = 24
#: Correlation of two thumbnails' edges from which on they are of one image. After JPEG at quality
#: 30, another size or a gamma of 1.6 it is above 0.94; of different people's films, brains and
#: spines it was below 0.89 (2,700 against 12,400). A cropped copy is not found.
_SAME = 0.93
_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class Forbidden:
    """What must not be trained on.

    Attributes:
        thumbnails: Of its images, ``[N, D]``, from :func:`thumbnails`.
        patients: Its patients' identifiers.
    """

    thumbnails: NDArray[np.float32]
    patients: frozenset[str]

    def among(
        self, candidates: NDArray[np.float32], patients: list[str]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell which images are forbidden.

        Args:
            candidates: Thumbnails of images, ``[N, D]``.
            patients: Whose each is; an empty one is nobody's.

        Returns:
            Which are (nearly) the same picture, and which are of a patient who is there, ``[N]``.
        """
        same = np.zeros(len(candidates), np.bool_)
        for start in range(0, len(self.thumbnails), _BLOCK):
            for first in range(0, len(candidates), _BLOCK):
                own = candidates[first : first + _BLOCK]
                likeness = own @ self.thumbnails[start : start + _BLOCK].T
                same[first : first + _BLOCK] |= likeness.max(1) >= _SAME
        of_patients = np.array([bool(one) and one in self.patients for one in patients], np.bool_)
        return same, of_patients


def thumbnails(images: NDArray[np.floating]) -> NDArray[np.float32]:
    """Reduce images ``[N, H, W]`` to unit vectors of their edges, ``[N, D]``, for comparison.

    Edges rather than brightness: two chests have the same light and dark places, and a copy with
    another contrast has not.
    """
    parts = []
    for start in range(0, len(images), _BLOCK):
        batch = torch.from_numpy(np.asarray(images[start : start + _BLOCK], np.float32))[:, None]
        small = functional.adaptive_avg_pool2d(batch, _SIDE)
        edges = torch.cat(
            [
                functional.pad(small.diff(dim=3), (0, 1)),
                functional.pad(small.diff(dim=2), (0, 0, 0, 1)),
            ],
            1,
        ).flatten(1)
        parts.append(functional.normalize(edges, dim=1).numpy())
    return np.concatenate(parts) if parts else np.zeros((0, 2 * _SIDE**2), np.float32)
