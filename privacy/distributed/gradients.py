"""The sum of clipped gradients with patients shared out to several devices.

Which patients share a pass is settled as on one device, each pass is computed by one device alone,
and the clipped vectors are whole numbers of a grid whose sum is exact in any order
(:mod:`~fedscan.privacy.clipping`). So devices of one kind give the bytes that one of them gives.
Who is drawn, their rows and the noise stay with the process that leads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from ...errors import ModelError, PrivacyError
from ..clipping import ClippedSum
from ..gradients import BatchedPatientLoss, PatientLoss, RowGradients, joined, patient_chunks
from ..stream import SecretStream
from .link import Link
from .messages import (
    BEGIN,
    CLIP_NORM,
    DONE,
    END,
    GRID,
    ORDER,
    OUT_OF_MEMORY,
    PATIENTS,
    ROWS,
)


class DistributedGradients:
    """Per-patient gradients on this process' device and on those of others.

    Args:
        own: Computes on this device.
        link: To the others, each of which is served by :func:`~.device.serve_device`.
    """

    def __init__(self, own: RowGradients, link: Link) -> None:
        self._own, self._link = own, link

    def clipped_sum(
        self,
        parameters: Mapping[str, nn.Parameter],
        patients: Sequence[int],
        loss: PatientLoss,
        clip_norm: float,
        stream: SecretStream,
        *,
        grid: float | None = None,
    ) -> Tensor:
        """See :class:`~fedscan.privacy.gradients.PatientGradients`.

        After an error the link must not be used again.

        Raises:
            ModelError: If another device failed; what it said is in its own output.
            torch.OutOfMemoryError: If the memory of one of them ran out.
        """
        if not isinstance(loss, BatchedPatientLoss):
            raise PrivacyError(
                "Several devices compute losses of rows only.", hint="Use one device."
            )
        tensors = list(parameters.values())
        size = sum(tensor.numel() for tensor in tensors)
        total = ClippedSum(size, clip_norm, tensors[0].device, grid=grid)
        others = range(1, self._link.size)
        try:
            settings = {
                CLIP_NORM: _number(clip_norm),
                GRID: _number(grid or 0.0),
                ORDER: torch.tensor([sorted(parameters).index(name) for name in parameters]),
            }
            for rank in others:
                self._link.send(rank, BEGIN, {**parameters, **settings})
            away = self._share_out(total, parameters, patients, loss, stream)
            for rank in others:
                self._link.send(rank, END, {})
            self._require_done(others)
            points = torch.zeros(size, dtype=torch.float64)
            self._link.add_up(points)
        except ConnectionError as error:
            raise _lost() from error
        total.include(points, away)
        return total.total()

    def _share_out(
        self,
        total: ClippedSum,
        parameters: Mapping[str, nn.Parameter],
        patients: Sequence[int],
        loss: BatchedPatientLoss,
        stream: SecretStream,
    ) -> int:
        """Compute this device's share; returns how many patients went to others."""
        away = 0
        chunks = patient_chunks(patients, loss, stream, self._own.rows_at_once)
        for rank, chunk in zip(self._turns(), chunks, strict=False):
            rows, count = joined(chunk), len(chunk)
            if rank == 0:
                for vector in self._own.vectors(parameters, loss, rows, count):
                    total.add(vector)
            else:
                columns = {str(place): column for place, column in enumerate(rows)}
                self._link.send(rank, ROWS, {**columns, PATIENTS: torch.tensor(count)})
                away += count
        return away

    def _turns(self) -> Iterator[int]:
        """Yield whose turn it is. This process comes last, so that others compute meanwhile."""
        while True:
            yield from range(1, self._link.size)
            yield 0

    def _require_done(self, others: Sequence[int]) -> None:
        answers = [self._link.receive(rank)[0] for rank in others]
        if OUT_OF_MEMORY in answers:
            raise torch.OutOfMemoryError("The memory of another device ran out.")
        if any(answer != DONE for answer in answers):
            raise _lost()


def _lost() -> ModelError:
    return ModelError(
        "One of the devices that share the patients failed.",
        hint="The site's logs/supernode.log says what it met. If it lasts, name fewer devices in "
        "site.toml.",
    )


def _number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)
