"""How far each round moved the weights, as a share of their length."""

from __future__ import annotations

from collections.abc import Callable

from ...model.generator import Generator
from ...model.integrity.movement import share_between
from ..checkpoint import FederationState
from ..events import Observer, WeightsMoved

Show = Callable[[FederationState, bool], None]


def telling_movement(
    show: Show, generator: Generator, start: FederationState, steps: int, observe: Observer
) -> Show:
    """Return what tells how far a round moved the weights, and then shows the round as before.

    Args:
        show: Told each new state, and whether it is the last.
        generator: The generator in training.
        start: The state before the first round to come.
        steps: Steps of the model in a round, at each site.
        observe: Told the movement.
    """
    before = start.model

    def shown(state: FederationState, last: bool) -> None:
        nonlocal before
        share = share_between(generator, before, state.model)
        observe(WeightsMoved(round=state.round, share=share, step=share / steps))
        before = state.model
        show(state, last)

    return shown
