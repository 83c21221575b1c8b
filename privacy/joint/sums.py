"""A site's part of a sum over all sites: its own patients' vectors and its own share of the noise.

What is returned here has only this site's share of the noise, which is *less* than the study
promises its patients: it may leave the site only with the masks that let nobody see more than the
sum over all sites of a roster.

**Why rounded shares are as good as one Gaussian.** Let site j add ``round(N_j)``, with N_j normal
of deviation s_j in steps of the grid. The chance of a whole number z is the density of N_j + U_j at
z, with U_j uniform on [-1/2, 1/2]. By Poisson's summation the characteristic function of the sum of
k such shares is the product over j of ``sum_m F_j(t + 2 pi m)``, with F_j that of N_j + U_j. The
terms with all m equal make up the characteristic function of ``round(N + U_1 + … + U_(k-1))``, with
N normal of variance ``s_1**2 + … + s_k**2``. All others are below ``exp(-pi**2 * min(s_j)**2)``: at
0.3 clip norms on a grid of 2**-16 that is exp(-3.8e9). Patients' sums are whole numbers x, so
``x + round(N + U_1 + …) = round(x + N + U_1 + …)`` is computed from x + N alone, and costs no more
than the Gaussian mechanism with noise N that the ledger counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import PrivacyError
from ..clipping import ClippedSum
from ..distributed.link import Link
from ..engines import Engine, choose_engine
from ..gradients import PatientLoss
from ..sampling import poisson_sample
from ..stream import SecretStream
from .grid import SumGrid
from .ring import to_ring

#: Less noise than so many steps of the grid, and rounding would show: see the module's lemma.
LEAST_DEVIATION = 4.0
#: Numbers worked on at once: few enough to stay in a processor's cache.
_BLOCK = 1 << 16


def private_sum(
    parameters: Mapping[str, nn.Parameter],
    loss: PatientLoss,
    *,
    population: int,
    sample_rate: float,
    share: float,
    grid: SumGrid,
    stream: SecretStream,
    engine: Engine = "auto",
    rows_at_once: int | None = None,
    link: Link | None = None,
) -> NDArray[np.uint32]:
    """Return one step's sum of clipped gradients with this site's share of the noise.

    Each patient is drawn independently with the sample rate. Who was drawn, and how many, shows
    nowhere: a draw of nobody gives a vector of the same length, with the same noise.

    Args:
        parameters: What trains; its order is the order of the sum. They are not changed.
        loss: Loss of one patient.
        population: Number of patients. It is private, and used for the draw only.
        sample_rate: Each patient's chance to be drawn, in (0, 1].
        share: Deviation of this site's noise in units of the clip norm; paid for beforehand.
        grid: Clip norm and rounding.
        stream: Secret randomness of this step alone; never used again for another.
        engine: How per-patient gradients are computed.
        rows_at_once: Rows of one pass at most; a sum that is repeated must have the same.
        link: To the processes of further devices, if patients are shared out to any.

    Returns:
        uint32 ``[D]``: the parameters' gradients one after the other, in steps of the grid,
        modulo 2**32.

    Raises:
        ModelError: If one of several devices failed.
        PrivacyError: If a number is out of range, or the engine cannot handle the loss.
    """
    _check_share(share, grid)
    sample = poisson_sample(stream.child("sample"), population, sample_rate)
    total = choose_engine(engine, parameters, loss, rows_at_once, link).clipped_sum(
        parameters, sample, loss, grid.clip_norm, stream.child("loss"), grid=grid.step
    )
    return _with_noise(_steps(total, grid), share, grid, stream.child("noise"))


def private_vector_sum(
    vectors: Iterable[NDArray[np.floating]],
    *,
    size: int,
    share: float,
    grid: SumGrid,
    stream: SecretStream,
) -> NDArray[np.uint32]:
    """Return the sum of one vector per patient with this site's share of the noise.

    Args:
        vectors: For each patient one vector ``[D]``. A vector that is not finite counts as zero.
        size: Length D of the vectors: public, so that an empty site answers like any other.
        share: Deviation of this site's noise in units of the clip norm; paid for beforehand.
        grid: Clip norm and rounding.
        stream: Secret randomness of this sum alone.

    Returns:
        uint32 ``[D]``, in steps of the grid, modulo 2**32.

    Raises:
        PrivacyError: If a vector has another length or a number is out of range.
    """
    _check_share(share, grid)
    total = ClippedSum(size, grid.clip_norm, grid=grid.step)
    for vector in vectors:
        if vector.shape != (size,):
            raise PrivacyError(
                f"A patient's vector has the shape {vector.shape}.", hint=f"It must be ({size},)."
            )
        total.add(torch.tensor(vector, dtype=torch.float32))
    return _with_noise(_steps(total.total(), grid), share, grid, stream)


def private_count_sum(
    patients: int, *, share: float, grid: SumGrid, stream: SecretStream
) -> NDArray[np.uint32]:
    """Return the number of patients with this site's share of the noise, uint32 ``[1]``.

    Args:
        patients: The number, at least 0.
        share: Deviation of this site's noise in patients; paid for beforehand.
        grid: With a clip norm of one patient.
        stream: Secret randomness of this count alone.

    Raises:
        PrivacyError: If a number is out of range.
    """
    _check_share(share, grid)
    if patients < 0:
        raise PrivacyError(f"The number of patients is {patients!r}.")
    return _with_noise(np.array([patients << grid.bits], np.int64), share, grid, stream)


def _check_share(share: float, grid: SumGrid) -> None:
    if not 0 < share < math.inf or grid.deviation(share) < LEAST_DEVIATION:
        raise PrivacyError(
            f"The share of the noise is {share!r}, on a grid of {grid.bits} bits.",
            hint="Without noise there is no privacy, and less than a few steps of the grid is "
            "rounded away.",
        )


def _steps(total: Tensor, grid: SumGrid) -> NDArray[np.int64]:
    """Return a sum of grid points in steps. Dividing errs by far less than half a step."""
    steps: NDArray[np.int64] = np.rint(total.cpu().numpy() / grid.step).astype(np.int64)
    return steps


def _with_noise(
    total: NDArray[np.int64], share: float, grid: SumGrid, stream: SecretStream
) -> NDArray[np.uint32]:
    deviation = grid.deviation(share)
    noisy = total.copy()
    for start in range(0, len(noisy), _BLOCK):
        part = noisy[start : start + _BLOCK]
        noise = stream.normal64(len(part)).mul_(deviation).round_()
        part += noise.to(torch.int64).numpy()
    return to_ring(noisy)
