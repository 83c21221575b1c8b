"""The sum of the patients' clipped gradients, with a sensitivity that holds to the last bit.

Floating-point sums break the textbook sensitivity: adding one term changes how all others are
rounded (Casacuberta et al. 2022, arXiv:2207.10635). So each clipped gradient is rounded towards
zero to a grid, 2**-30 of the clip norm or finer by default, which never makes it longer, and the
grid points are added in double precision, where sums of integers below 2**53 are exact. The sum is
therefore the same for any order of patients, and adding or removing one patient changes it by
exactly that patient's vector, whose norm is at most the clip norm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..errors import PrivacyError

_GRID_BITS = 30
#: Patients whose sum is certain to be exact: 2**53 grid points over 2**31 for each.
MAX_PATIENTS = 1 << 22
#: Room for rounding in the norm's sum of squares and in the scaling, in double precision.
_MARGIN = 1 - 2.0**-30
#: Numbers worked on at once on a CPU: few enough to stay in its cache from pass to pass.
_BLOCK = 1 << 15


class ClippedSum:
    """Sums vectors, one per patient, each clipped to the same Euclidean norm.

    Args:
        size: Length D of the vectors.
        clip_norm: Largest norm, positive and finite.
        device: Where the vectors are.
        grid: Step of the grid, at least 2**-30 of the clip norm; a power of two near that if not
            given.

    Raises:
        PrivacyError: If the clip norm is out of range.
    """

    def __init__(
        self,
        size: int,
        clip_norm: float,
        device: torch.device | str = "cpu",
        *,
        grid: float | None = None,
    ) -> None:
        if not 0 < clip_norm < math.inf:
            raise PrivacyError(
                f"clip_norm is {clip_norm!r}.", hint="It must be positive and finite."
            )
        self._limit = clip_norm * _MARGIN
        self._grid = grid or math.ldexp(1.0, math.frexp(clip_norm)[1] - 1 - _GRID_BITS)
        # Apple's GPUs know no double precision: there the sum is kept by the CPU.
        place = "cpu" if torch.device(device).type == "mps" else device
        self._total = torch.zeros(size, dtype=torch.float64, device=place)
        self._block = min(_BLOCK, size) if self._total.device.type == "cpu" else size
        self._scratch = torch.empty(self._block, dtype=torch.float64, device=place)
        self._patients = 0

    def add(self, vector: Tensor) -> None:
        """Add one patient's vector, float32 ``[D]``.

        A vector that is not finite counts as zero: an error would tell that it occurred.

        Raises:
            PrivacyError: If there are too many patients for an exact sum.
        """
        self._count(1)
        norm = math.sqrt(sum(float(torch.dot(part, part)) for _, part in self._parts(vector)))
        if not math.isfinite(norm):
            return
        scale = min(1.0, self._limit / norm) if norm else 1.0
        for total, part in self._parts(vector):
            total.add_(part.mul_(scale / self._grid).trunc_())

    def include(self, points: Tensor, patients: int) -> None:
        """Add the sum over other patients, made on another device.

        Args:
            points: Their :attr:`points`, float64 ``[D]``.
            patients: How many they are.

        Raises:
            PrivacyError: If there are too many patients for an exact sum.
        """
        self._count(patients)
        self._total.add_(points.to(self._total.device))

    @property
    def points(self) -> Tensor:
        """The sum in steps of the grid, whole numbers, float64 ``[D]``."""
        return self._total

    def _count(self, patients: int) -> None:
        self._patients += patients
        if self._patients > MAX_PATIENTS:
            raise PrivacyError(f"More than {MAX_PATIENTS} patients are in one step.")

    def _parts(self, vector: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield parts of the sum with a double precision copy of the vector's, to be changed."""
        for total, part in zip(
            self._total.split(self._block), vector.split(self._block), strict=True
        ):
            yield total, self._scratch[: len(part)].copy_(part)

    def total(self) -> Tensor:
        """Return the sum so far, float64 ``[D]``."""
        return self._total * self._grid


def flatten(gradients: Sequence[Tensor | None], out: Tensor, like: Sequence[Tensor]) -> Tensor:
    """Write gradients one after the other into ``out``; an unused parameter's are zero.

    Args:
        gradients: One per parameter, ``None`` where the loss does not depend on it.
        out: float32 ``[D]``, overwritten.
        like: The parameters.

    Returns:
        ``out``.
    """
    parts = [
        (torch.zeros_like(parameter) if gradient is None else gradient).reshape(-1)
        for gradient, parameter in zip(gradients, like, strict=True)
    ]
    return torch.cat(parts, out=out) if parts[0].dtype == out.dtype else out.copy_(torch.cat(parts))
