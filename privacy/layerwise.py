"""Per-patient gradients of several patients in one forward and backward pass.

The gradient of a linear layer's weight is the product of what went in and what comes back,
summed over rows. Summing over each patient's rows apart costs the same multiplications, so the
patients' gradients come at the price of the ordinary batch gradient, without the memory of a
gradient per row (which is what Opacus' hooks keep: Goodfellow 2015, arXiv:1510.01799).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn

from ..errors import PrivacyError
from .clipping import ClippedSum, flatten
from .gradients import (
    ROWS_AT_ONCE,
    BatchedPatientLoss,
    PatientLoss,
    joined,
    patient_chunks,
    patient_gradient,
)
from .stream import SecretStream

_HINT = "Use the engine 'loop', which handles any layer."


@dataclass
class _Call:
    """One use of a layer in a forward pass."""

    layer: nn.Linear
    inputs: Tensor
    outputs: Tensor
    version: int


class LayerwiseGradients:
    """Per-patient gradients of linear layers, a few patients at a time.

    For attention layers and low-rank updates: their trained parameters all are weights and
    biases of linear layers.

    Args:
        rows_at_once: Rows of one forward pass, rounded down to whole patients, at least one.
    """

    def __init__(self, rows_at_once: int = ROWS_AT_ONCE) -> None:
        self.rows_at_once = rows_at_once
        self._checked = False

    @staticmethod
    def supports(parameters: Mapping[str, nn.Parameter], loss: PatientLoss) -> bool:
        """Whether all parameters belong to linear layers of a loss that takes batches."""
        if not isinstance(loss, BatchedPatientLoss):
            return False
        covered_ids = {id(value) for layer in _linears(loss.module) for value in layer.parameters()}
        return all(id(parameter) in covered_ids for parameter in parameters.values())

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
        """See :class:`~fedscan.privacy.gradients.PatientGradients`."""
        if not isinstance(loss, BatchedPatientLoss) or not self.supports(parameters, loss):
            raise PrivacyError(
                "Not all trained parameters belong to linear layers of a batched loss.",
                hint=_HINT,
            )
        size = sum(parameter.numel() for parameter in parameters.values())
        total = ClippedSum(size, clip_norm, next(iter(parameters.values())).device, grid=grid)
        for chunk in patient_chunks(patients, loss, stream, self.rows_at_once):
            vectors = _patient_vectors(parameters, loss, chunk)
            if not self._checked:
                _check(vectors[0], parameters, loss, patients[0], stream)
                self._checked = True
            for vector in vectors:
                total.add(vector)
        return total.total()


def _patient_vectors(
    parameters: Mapping[str, nn.Parameter],
    loss: BatchedPatientLoss,
    chunk: Sequence[tuple[Tensor, ...]],
) -> Tensor:
    """Return each patient's gradient, float32 ``[P, D]``."""
    patients, draws = len(chunk), len(chunk[0][0])
    with _recorded(loss.module, parameters) as calls:
        losses = loss.row_losses(joined(chunk))
    if losses.shape != (patients * draws,):
        raise PrivacyError(
            f"The loss has the shape {tuple(losses.shape)}.",
            hint=f"It must give one value for each of the {patients * draws} rows.",
        )
    sizes = {id(parameter): parameter.numel() for parameter in parameters.values()}
    size = sum(sizes.values())
    offsets = dict(zip(sizes, accumulate(sizes.values(), initial=0), strict=False))
    if not losses.requires_grad or not calls:
        return torch.zeros(patients, size, device=losses.device)
    # Asking for the outputs' gradients only leaves the ordinary weight gradients uncomputed.
    backward: tuple[Tensor | None, ...] = torch.autograd.grad(
        losses.sum() / draws, [call.outputs for call in calls], allow_unused=True
    )
    vectors = torch.empty(patients, size, device=losses.device)
    missing = set(offsets)

    def put(parameter: Tensor, part: Tensor) -> None:
        start = offsets[id(parameter)]
        place = vectors[:, start : start + parameter.numel()]
        if id(parameter) in missing:  # a layer's first use, and for most the only one
            missing.remove(id(parameter))
            place.copy_(part.reshape(patients, -1))
        else:
            place.add_(part.reshape(patients, -1))

    for call, gradient in zip(calls, backward, strict=True):
        if call.inputs.shape[0] != len(losses) or call.outputs._version != call.version:
            raise PrivacyError(
                f"A {type(call.layer).__name__} mixes rows, or its result is changed in place.",
                hint=_HINT,
            )
        if gradient is None:
            continue
        inputs = call.inputs.reshape(patients, -1, call.inputs.shape[-1])
        gradient = gradient.reshape(patients, -1, gradient.shape[-1])
        if id(call.layer.weight) in offsets:
            put(call.layer.weight, torch.bmm(gradient.mT, inputs))
        if id(call.layer.bias) in offsets:
            put(call.layer.bias, gradient.sum(1))
    for name in missing:
        vectors[:, offsets[name] : offsets[name] + sizes[name]] = 0
    return vectors


@contextmanager
def _recorded(module: nn.Module, parameters: Mapping[str, nn.Parameter]) -> Iterator[list[_Call]]:
    """Record what goes into and comes out of the linear layers that train."""
    calls: list[_Call] = []

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], outputs: Tensor) -> None:
        assert isinstance(layer, nn.Linear)
        calls.append(_Call(layer, inputs[0].detach(), outputs, outputs._version))

    parameter_ids = {id(parameter) for parameter in parameters.values()}
    handles = [
        layer.register_forward_hook(record)
        for layer in _linears(module)
        if any(id(value) in parameter_ids for value in layer.parameters())
    ]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _linears(module: nn.Module) -> list[nn.Linear]:
    # A subclass may compute something else with its weight.
    return [layer for layer in module.modules() if type(layer) is nn.Linear]


def _check(
    vector: Tensor,
    parameters: Mapping[str, nn.Parameter],
    loss: PatientLoss,
    patient: int,
    stream: SecretStream,
) -> None:
    """Compare with ordinary back-propagation, once: the layers must be used as assumed."""
    gradients = patient_gradient(parameters, loss, patient, stream)
    reference = flatten(gradients, torch.empty_like(vector), list(parameters.values()))
    if not torch.linalg.vector_norm(vector - reference) <= 1e-2 * torch.linalg.vector_norm(
        reference
    ):
        raise PrivacyError(
            "The loss uses its linear layers in a way that the engine 'layerwise' cannot follow.",
            hint=_HINT,
        )
