"""Running averages of weights of several lengths; the best one is chosen at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

#: Shares of the steps so far over which the averages mainly reach.
_REACHES = (0.05, 0.15)
_LONGEST = 0.9999


class Averages:
    """Exponential averages that grow with the training (Karras et al., arXiv 2312.02696).

    Each reaches over a fixed share of the steps so far, so nobody has to guess a decay for a
    training whose length is not known.

    Args:
        parameters: What is trained.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self._weights = [[each.detach().clone() for each in parameters] for _ in _REACHES]

    def step(self, steps: int) -> None:
        """Take the current weights in.

        Args:
            steps: Steps made, this one included.
        """
        current = [each.detach() for each in self._parameters]
        for reach, weights in zip(_REACHES, self._weights, strict=True):
            decay = min(_LONGEST, max(0.0, 1.0 - 1.0 / (reach * steps)) if steps else 0.0)
            torch._foreach_lerp_(weights, current, 1.0 - decay)

    @contextmanager
    def in_place(self, which: int) -> Iterator[None]:
        """Put one average where the trained weights are, within."""
        current = [each.detach().clone() for each in self._parameters]
        self._copy(self._weights[which])
        try:
            yield
        finally:
            self._copy(current)

    def settle(self, judge: Callable[[], float]) -> float:
        """Leave the weights as the average that is judged best.

        Args:
            judge: Returns the loss of the weights as they are.

        Returns:
            Its loss.
        """
        losses = []
        for which in range(len(self._weights)):
            with self.in_place(which):
                losses.append(judge())
        best = min(range(len(losses)), key=losses.__getitem__)
        self._copy(self._weights[best])
        return losses[best]

    def state_dict(self) -> list[list[Tensor]]:
        """What :meth:`load_state_dict` takes."""
        return self._weights

    def load_state_dict(self, weights: list[list[Tensor]]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        for own, theirs in zip(self._weights, weights, strict=True):
            for mine, other in zip(own, theirs, strict=True):
                mine.copy_(other)

    def _copy(self, weights: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for parameter, weight in zip(self._parameters, weights, strict=True):
                parameter.copy_(weight)
