"""Per-patient gradients of several patients in one forward and backward pass.

The gradient of a linear layer's weight is the product of what went in and what comes back,
summed over rows. Summing over each patient's rows apart costs the same multiplications, so the
patients' gradients come at the price of the ordinary batch gradient, without the memory of a
gradient per row (which is what Opacus' hooks keep: Goodfellow 2015, arXiv:1510.01799). The scale
and shift of a norm are a product and a sum of the same kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import PrivacyError
from .clipping import ClippedSum
from .gradients import (
    ROWS_AT_ONCE,
    BatchedPatientLoss,
    LoopGradients,
    PatientLoss,
    RowLosses,
    joined,
    patient_chunks,
    split_rows,
)
from .stream import SecretStream

_HINT = "Use the engine 'loop', which handles any layer."

#: Share of a gradient's length by which it may differ from that of ordinary back-propagation.
_TOLERANCE = 1e-2
#: Share of a row's values that is about what rounding does to them.
_ROUNDING = 1e-6


#: Layers whose parameters it follows. A subclass may compute something else with its weight.
_Followed = nn.Linear | nn.GroupNorm | nn.LayerNorm


class LayerwiseGradients:
    """Per-patient gradients of linear layers and norms, a few patients at a time.

    For attention layers, low-rank updates, and the scales and shifts of norms.

    Args:
        rows_at_once: Rows of one forward pass, rounded down to whole patients, at least one.
    """

    def __init__(self, rows_at_once: int = ROWS_AT_ONCE) -> None:
        self.rows_at_once = rows_at_once
        self._checked = False

    @staticmethod
    def supports(parameters: Mapping[str, nn.Parameter], loss: PatientLoss | RowLosses) -> bool:
        """Whether all parameters are of linear layers and norms, in a loss that takes batches."""
        if not isinstance(loss, RowLosses):
            return False
        covered_ids = {
            id(value) for layer in _followed(loss.module) for value in layer.parameters()
        }
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
        if not isinstance(loss, BatchedPatientLoss):
            raise _not_covered()
        size = sum(parameter.numel() for parameter in parameters.values())
        total = ClippedSum(size, clip_norm, next(iter(parameters.values())).device, grid=grid)
        for chunk in patient_chunks(patients, loss, stream, self.rows_at_once):
            for vector in self.vectors(parameters, loss, joined(chunk), len(chunk)):
                total.add(vector)
        return total.total()

    def vectors(
        self,
        parameters: Mapping[str, nn.Parameter],
        loss: RowLosses,
        rows: tuple[Tensor, ...],
        patients: int,
    ) -> Tensor:
        """See :class:`~fedscan.privacy.gradients.RowGradients`."""
        if not self._checked and not self.supports(parameters, loss):
            raise _not_covered()
        vectors = _patient_vectors(parameters, loss, rows, patients)
        if self._checked:
            return vectors
        if _agrees(vectors[0], parameters, loss, next(split_rows(rows, patients))):
            self._checked = True
            return vectors
        # Rounding hides whether the layers are used as assumed: after noise has moved weights far.
        # One patient after the other is right in any case.
        return LoopGradients().vectors(parameters, loss, rows, patients)


def _not_covered() -> PrivacyError:
    return PrivacyError(
        "Not all trained parameters belong to linear layers and norms of a batched loss.",
        hint=_HINT,
    )


def _patient_vectors(
    parameters: Mapping[str, nn.Parameter],
    loss: RowLosses,
    rows: tuple[Tensor, ...],
    patients: int,
) -> Tensor:
    """Return each patient's gradient, float32 ``[P, D]``."""
    draws = len(rows[0]) // patients
    vectors = _Vectors(parameters, patients)
    with _tapped(loss.module, parameters, vectors, patients * draws):
        losses = _row_losses(loss, rows)
        if losses.shape != (patients * draws,):
            raise PrivacyError(
                f"The loss has the shape {tuple(losses.shape)}.",
                hint=f"It must give one value for each of the {patients * draws} rows.",
            )
        if losses.requires_grad:
            # Asking for the root's gradient only leaves the weights' own uncomputed. Within, parts
            # of the network may be computed again (gradient checkpointing), taps and all.
            torch.autograd.grad(losses.sum() / draws, vectors.root, allow_unused=True)
    return vectors.finished()


def _row_losses(loss: RowLosses, rows: tuple[Tensor, ...]) -> Tensor:
    try:
        return loss.row_losses(rows)
    except RuntimeError as error:
        if "modified inplace" not in str(error):
            raise
        raise PrivacyError("A layer's result is changed in place.", hint=_HINT) from error


class _Vectors:
    """The patients' gradients while they are put together, layer by layer."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], patients: int) -> None:
        sizes = {id(parameter): parameter.numel() for parameter in parameters.values()}
        device = next(iter(parameters.values())).device
        self._patients = patients
        self._places = dict(zip(sizes, accumulate(sizes.values(), initial=0), strict=False))
        self._sizes = sizes
        self._missing = set(sizes)
        self._values = torch.empty(patients, sum(sizes.values()), device=device)
        #: What all taps hang on: the backward pass goes wherever it leads to.
        self.root = torch.zeros((), device=device, requires_grad=True)

    def add(self, layer: _Followed, inputs: Tensor, gradient: Tensor) -> None:
        """Add what one use of a layer gives: its inputs and its outputs' gradient, ``[B, …]``."""
        if isinstance(layer, nn.GroupNorm):
            # Its channels are the second axis, those of the others the last one.
            inputs = functional.group_norm(inputs, layer.num_groups, eps=layer.eps).transpose(1, -1)
            gradient = gradient.transpose(1, -1)
        elif isinstance(layer, nn.LayerNorm):
            inputs = functional.layer_norm(inputs, layer.normalized_shape, eps=layer.eps)
        rows = inputs.reshape(self._patients, -1, inputs.shape[-1])
        errors = gradient.reshape(self._patients, -1, gradient.shape[-1])
        if id(layer.weight) in self._places:
            is_linear = isinstance(layer, nn.Linear)
            self._put(
                layer.weight, torch.bmm(errors.mT, rows) if is_linear else (errors * rows).sum(1)
            )
        if id(layer.bias) in self._places:
            self._put(layer.bias, errors.sum(1))

    def _put(self, parameter: Tensor, part: Tensor) -> None:
        start = self._places[id(parameter)]
        place = self._values[:, start : start + parameter.numel()]
        if id(parameter) in self._missing:  # a layer's first use, and for most the only one
            self._missing.remove(id(parameter))
            place.copy_(part.reshape(self._patients, -1))
        else:
            place.add_(part.reshape(self._patients, -1))

    def finished(self) -> Tensor:
        """Return the gradients ``[P, D]``, zero where nothing was added."""
        for name in self._missing:
            self._values[:, self._places[name] : self._places[name] + self._sizes[name]] = 0
        return self._values


class _Tap(torch.autograd.Function):
    """Passes a layer's outputs on, and in the backward pass tells their gradient and its inputs."""

    @staticmethod
    def forward(
        context: Any,
        outputs: Tensor,
        inputs: Tensor,
        root: Tensor,
        layer: _Followed,
        vectors: _Vectors,
    ) -> Tensor:
        context.save_for_backward(inputs)
        context.layer, context.vectors = layer, vectors
        return outputs.view_as(outputs)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        (inputs,) = context.saved_tensors
        # At least in float32, also where a network multiplies in half precision.
        kind = torch.promote_types(gradient.dtype, torch.float32)
        context.vectors.add(context.layer, inputs.to(kind), gradient.to(kind))
        return gradient, None, None, None, None


@contextmanager
def _tapped(
    module: nn.Module, parameters: Mapping[str, nn.Parameter], vectors: _Vectors, rows: int
) -> Iterator[None]:
    """Tap the layers that train, each use of them; there are so many rows."""

    def tap(layer: nn.Module, inputs: tuple[Tensor, ...], outputs: Tensor) -> Tensor:
        assert isinstance(layer, _Followed)
        if not torch.is_grad_enabled():
            return outputs
        if len(inputs[0]) != rows:
            raise PrivacyError("A layer mixes rows.", hint=_HINT)
        output: Tensor = _Tap.apply(outputs, inputs[0].detach(), vectors.root, layer, vectors)  # type: ignore[no-untyped-call]
        return output

    parameter_ids = {id(parameter) for parameter in parameters.values()}
    handles = [
        layer.register_forward_hook(tap)
        for layer in _followed(module)
        if any(id(value) in parameter_ids for value in layer.parameters())
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _followed(module: nn.Module) -> list[_Followed]:
    return [
        layer
        for layer in module.modules()
        if type(layer) is nn.Linear
        or type(layer) is nn.GroupNorm
        # Scales that lie along several axes are not followed.
        or (type(layer) is nn.LayerNorm and len(layer.normalized_shape) == 1)
    ]


def _agrees(
    vector: Tensor,
    parameters: Mapping[str, nn.Parameter],
    loss: RowLosses,
    rows: tuple[Tensor, ...],
) -> bool:
    """Compare with ordinary back-propagation, once: the layers must be used as assumed.

    Returns:
        Whether both agree; not where a change of the rows as small as rounding explains it.

    Raises:
        PrivacyError: If they differ by more.
    """
    norm, loop = torch.linalg.vector_norm, LoopGradients()
    (reference,) = loop.vectors(parameters, loss, rows, 1)
    error, tolerance = norm(vector - reference), _TOLERANCE * norm(reference)
    if error <= tolerance:
        return True
    other_rows = tuple(row * (1 + _ROUNDING) if row.is_floating_point() else row for row in rows)
    (other_reference,) = loop.vectors(parameters, loss, other_rows, 1)
    if norm(other_reference - reference) <= tolerance:
        raise PrivacyError(
            "The loss uses its layers in a way that the engine 'layerwise' cannot follow.",
            hint=_HINT,
        )
    return False
