"""What the process of a further device does: clip the gradients of the rows that it is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ..clipping import ClippedSum
from ..engines import choose_row_engine
from ..gradients import RowGradients, RowLosses
from .link import Link
from .messages import (
    BEGIN,
    CLIP_NORM,
    DONE,
    END,
    FAILED,
    GRID,
    ORDER,
    OUT_OF_MEMORY,
    PATIENTS,
    ROWS,
    STOP,
)

_log = logging.getLogger(__name__)


def serve_device(
    parameters: Mapping[str, nn.Parameter],
    loss: RowLosses,
    link: Link,
    is_out_of_memory: Callable[[BaseException], bool],
) -> None:
    """Add to one sum after the other, until the process that leads says so, or is gone.

    Args:
        parameters: What trains; their values are overwritten with every sum.
        loss: Losses of rows, on this device.
        link: To the process that leads.
        is_out_of_memory: Tells an error that fewer rows at once may avoid.

    Raises:
        ConnectionError: When the process that leads is gone.
    """
    engine = choose_row_engine(parameters, loss)
    while True:
        kind, content = link.receive(0)
        if kind == STOP:
            return
        if kind == BEGIN:
            share = _Share(parameters, loss, engine, content)
        elif kind == ROWS and share.answer == DONE:
            share.add(content, is_out_of_memory)
        elif kind == END:
            link.send(0, share.answer, {})
            if share.answer == DONE:
                link.add_up(share.points)


class _Share:
    """A device's part of one sum."""

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        loss: RowLosses,
        engine: RowGradients,
        beginning: Mapping[str, Tensor],
    ) -> None:
        self._loss, self._engine, names = loss, engine, sorted(parameters)
        parameters = {names[place]: parameters[names[place]] for place in beginning[ORDER].tolist()}
        self._parameters = parameters
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(beginning[name])
        self._total = ClippedSum(
            sum(parameter.numel() for parameter in parameters.values()),
            float(beginning[CLIP_NORM]),
            next(iter(parameters.values())).device,
            grid=float(beginning[GRID]) or None,
        )
        #: Whether all went well so far.
        self.answer = DONE

    def add(
        self, message: Mapping[str, Tensor], is_out_of_memory: Callable[[BaseException], bool]
    ) -> None:
        """Add the patients of a message; what goes wrong is answered at the end."""
        patients = int(message[PATIENTS])
        rows = tuple(message[str(place)] for place in range(len(message) - 1))
        try:
            for vector in self._engine.vectors(self._parameters, self._loss, rows, patients):
                self._total.add(vector)
        except Exception as error:
            self.answer = OUT_OF_MEMORY if is_out_of_memory(error) else FAILED
            if self.answer == FAILED:
                _log.exception("a device's share of a step failed")

    @property
    def points(self) -> Tensor:
        """The sum in steps of the grid, on the CPU."""
        return self._total.points.cpu()
