"""Each round's loss on public images and movement of weights, read from a run's events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: How far one step may move the weights, as a share of their length: more, and what the base has
#: learnt is soon gone.
LARGEST_STEP = 0.01
#: A loss counts as worse from here on: the images and their noise are the same each time.
_WORSE = 1.005


@dataclass(frozen=True, kw_only=True)
class RoundProgress:
    """What is known of one round.

    Attributes:
        round: Number of the round, from 1.
        loss_before: Loss on public images when it was last measured before; ``None`` if never.
        loss: The loss after it; ``None`` if it was not measured.
        movement: How far it moved the weights, as a share of their length; ``None`` if not known.
        step: The same for one step.
    """

    round: int
    loss_before: float | None = None
    loss: float | None = None
    movement: float | None = None
    step: float | None = None

    @property
    def is_worse(self) -> bool:
        """Whether the loss rose."""
        return (
            self.loss_before is not None
            and self.loss is not None
            and is_worse(self.loss_before, self.loss)
        )

    @property
    def moves_far(self) -> bool:
        """Whether a step moved the weights further than is good for what the base has learnt."""
        return self.step is not None and self.step > LARGEST_STEP


def is_worse(before: float, after: float) -> bool:
    """Return whether a loss is worse than one before, by more than nothing.

    Args:
        before: The loss before.
        after: The loss after.
    """
    return after > _WORSE * before


def round_progress(events: Iterable[Mapping[str, Any]]) -> list[RoundProgress]:
    """Return what a run's events say of each of its rounds, in their order.

    Args:
        events: Of the run's event log; of a round that was run again the later ones count.
    """
    losses: dict[int, float] = {}
    moves: dict[int, tuple[float, float]] = {}
    for event in events:
        if event["event"] == "LossMeasured":
            losses[event["round"]] = event["loss"]
        elif event["event"] == "WeightsMoved":
            moves[event["round"]] = (event["share"], event["step"])
    lines, before = [], losses.get(0)
    for number in sorted({*losses, *moves} - {0}):
        movement, step = moves.get(number, (None, None))
        loss = losses.get(number)
        lines.append(
            RoundProgress(round=number, loss_before=before, loss=loss, movement=movement, step=step)
        )
        before = before if loss is None else loss
    return lines
