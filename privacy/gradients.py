"""Per-patient gradients behind one small interface, and the engine that works for any loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from .clipping import ClippedSum, flatten
from .stream import SecretStream

#: Rows of a forward pass that patients share: enough to keep a processor busy.
ROWS_AT_ONCE = 32


@runtime_checkable
class PatientLoss(Protocol):
    """The loss of one patient, by the patient's place in the population."""

    def __call__(self, patient: int, stream: SecretStream) -> Tensor:
        """Return the mean loss over the patient's draws, a scalar.

        It must depend on no other patient, and draw only from the given stream.
        """
        ...


@runtime_checkable
class RowLosses(Protocol):
    """The losses of rows, whosever they are."""

    @property
    def module(self) -> nn.Module:
        """The module that holds the trained parameters."""
        ...

    def row_losses(self, rows: tuple[Tensor, ...]) -> Tensor:
        """Return the losses ``[B]`` of ``B`` rows, of one patient or of several joined.

        A row's loss must depend on no other row.
        """
        ...


@runtime_checkable
class BatchedPatientLoss(PatientLoss, RowLosses, Protocol):
    """A patient's loss taken apart, so that several patients can share a forward pass.

    Calling it is the same as ``row_losses(draw(patient, stream)).mean()``.
    """

    def draw(self, patient: int, stream: SecretStream) -> tuple[Tensor, ...]:
        """Return the patient's K rows: tensors ``[K, …]`` of the same shapes for each patient."""
        ...


class PatientGradients(Protocol):
    """A way to compute the sum of clipped per-patient gradients. All ways agree."""

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
        """Return the sum over patients of the gradient of their loss, clipped as one vector.

        It is not private until noise is added.

        Args:
            parameters: What trains, on one device.
            patients: Who was sampled; may be empty.
            loss: Loss of one patient.
            clip_norm: Largest Euclidean norm of one patient's whole gradient.
            stream: Each patient's draws come from its own child stream, so they depend neither
                on who else was sampled nor on the engine.
            grid: Step to whose multiples each clipped vector is rounded towards zero; very fine
                if not given (:class:`~fedscan.privacy.clipping.ClippedSum`).

        Returns:
            float64 ``[D]``: the parameters' gradients one after the other.

        Raises:
            PrivacyError: If the clip norm is out of range or the loss does not suit the engine.
        """
        ...


class RowGradients(PatientGradients, Protocol):
    """A way that needs of patients no more than their rows.

    Attributes:
        rows_at_once: Rows of one pass at most; of whole patients, and of one at least.
    """

    rows_at_once: int

    def vectors(
        self,
        parameters: Mapping[str, nn.Parameter],
        loss: RowLosses,
        rows: tuple[Tensor, ...],
        patients: int,
    ) -> Tensor:
        """Return each patient's gradient before clipping.

        Args:
            parameters: What trains, on one device.
            loss: Losses of rows.
            rows: Rows of some patients one after the other, as many of each.
            patients: How many patients.

        Returns:
            float32 ``[P, D]``.

        Raises:
            PrivacyError: If the loss does not suit the engine.
        """
        ...


def patient_stream(stream: SecretStream, patient: int) -> SecretStream:
    """Return the stream of one patient's draws in one step."""
    return stream.child(f"patient {patient}")


def patient_chunks(
    patients: Sequence[int],
    loss: BatchedPatientLoss,
    stream: SecretStream,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Iterator[list[tuple[Tensor, ...]]]:
    """Yield the rows of as many patients as share a forward pass, and of one at least.

    Args:
        patients: Who was sampled.
        loss: Draws their rows.
        stream: Of the step.
        rows_at_once: Rows of one forward pass at most.
    """
    chunk: list[tuple[Tensor, ...]] = []
    for patient in patients:
        rows = loss.draw(patient, patient_stream(stream, patient))
        if chunk and (len(chunk) + 1) * len(rows[0]) > rows_at_once:
            yield chunk
            chunk = []
        chunk.append(rows)
    if chunk:
        yield chunk


def joined(chunk: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Return the rows of several patients one after the other."""
    return tuple(torch.cat(column) for column in zip(*chunk, strict=True))


def split_rows(rows: tuple[Tensor, ...], patients: int) -> Iterator[tuple[Tensor, ...]]:
    """Yield each patient's rows of several that were joined."""
    draws = len(rows[0]) // patients
    yield from zip(*(column.split(draws) for column in rows), strict=True)


def patient_gradient(
    parameters: Mapping[str, nn.Parameter], loss: PatientLoss, patient: int, stream: SecretStream
) -> list[Tensor | None]:
    """Return the unclipped gradient of one patient's loss, by ordinary back-propagation.

    Args:
        parameters: What trains.
        loss: Loss of one patient.
        patient: Which one.
        stream: Of the step; the patient draws from its own child.

    Returns:
        One tensor per parameter, ``None`` where the loss does not depend on it.
    """
    value = loss(patient, patient_stream(stream, patient))
    return loss_gradient(value, list(parameters.values()))


def loss_gradient(value: Tensor, tensors: Sequence[Tensor]) -> list[Tensor | None]:
    """Return a loss' gradient for each tensor, ``None`` where it does not depend on it."""
    if not value.requires_grad:
        # A loss can miss all of what trains: an adapter, in rows that do not use it.
        return [None] * len(tensors)
    return list(torch.autograd.grad(value, tensors, allow_unused=True))


class LoopGradients:
    """One patient after the other, by ordinary back-propagation.

    Exact for every model and loss, with the memory of one patient only. A patient's K rows go
    through one backward pass, so it is fast where K rows keep the processor busy.
    """

    #: A patient's own, however many: no two share a pass.
    rows_at_once = 1

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
        """See :class:`PatientGradients`."""
        tensors = list(parameters.values())
        vector = torch.empty(sum(t.numel() for t in tensors), device=tensors[0].device)
        total = ClippedSum(len(vector), clip_norm, vector.device, grid=grid)
        for patient in patients:
            gradients = patient_gradient(parameters, loss, patient, stream)
            total.add(flatten(gradients, vector, tensors))
        return total.total()

    def vectors(
        self,
        parameters: Mapping[str, nn.Parameter],
        loss: RowLosses,
        rows: tuple[Tensor, ...],
        patients: int,
    ) -> Tensor:
        """See :class:`RowGradients`."""
        tensors = list(parameters.values())
        size = sum(tensor.numel() for tensor in tensors)
        vectors = torch.empty(patients, size, device=tensors[0].device)
        for vector, part in zip(vectors, split_rows(rows, patients), strict=True):
            flatten(loss_gradient(loss.row_losses(part).mean(), tensors), vector, tensors)
        return vectors
