"""Whether a step makes the model worse than any honest one would, by its loss on public images.

The images are made up, so that looking at them costs no privacy; a study may look at as many models
as it likes. It is a sign, and no proof: the noise that protects patients makes a model worse, too,
and so does a learning rate that is too large.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...errors import DataError, ModelError
from ...federation.protocol import Tensors, tensors_digest
from .search import Doubt

#: The noise of one step moves the loss by some per cent; a model that draws nothing any more has
#: at least twice the loss of one that does.
_WORSE = 1.5

_log = logging.getLogger(__name__)


class LossRule:
    """Compares the models before and after steps.

    Args:
        measure: Returns a model's loss on public images.
    """

    def __init__(self, measure: Callable[[Tensors], float]) -> None:
        self._measure = measure
        self._last: dict[str, float] = {}

    def doubt(self, before: Tensors, after: Tensors) -> Doubt | None:
        """Return what speaks against a step; ``None`` if nothing does, or the loss is not known.

        Args:
            before: The model that the step began with.
            after: The model after it.
        """
        try:
            first = self._loss(before)
        except (DataError, ModelError) as failure:
            _log.warning("The loss on public images is not known: %s", failure)
            return None
        try:
            second = self._loss(after)
        except ModelError:
            return Doubt("the model's loss on public images is not finite", is_proof=False)
        if second <= _WORSE * first:
            return None
        return Doubt(
            f"the model's loss on public images went from {first:.3g} to {second:.3g}",
            is_proof=False,
        )

    def _loss(self, model: Tensors) -> float:
        digest = tensors_digest(model)
        if digest not in self._last:
            # A few: the model before, and what a round's sums would make of it.
            self._last = dict(list(self._last.items())[-3:])
            self._last[digest] = self._measure(model)
        return self._last[digest]
