"""What each round did to the model: read from the events, and named where it did harm."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.server.checkpoint import FederationState
from fedscan.server.events import Event, LossMeasured, WeightsMoved
from fedscan.server.progress.movement import telling_movement
from fedscan.server.progress.rounds import RoundProgress, is_worse, round_progress
from hypothesis import given
from hypothesis import strategies as st

#: As the event log of a run has them: round 2 was run again, round 3 was not drawn.
EVENTS = [
    {"event": "LossMeasured", "round": 0, "loss": 0.5},
    {"event": "WeightsMoved", "round": 1, "share": 0.01, "step": 0.0025},
    {"event": "LossMeasured", "round": 1, "loss": 0.45},
    {"event": "LossMeasured", "round": 2, "loss": 9.0},
    {"event": "WeightsMoved", "round": 2, "share": 0.08, "step": 0.02},
    {"event": "LossMeasured", "round": 2, "loss": 0.46},
    {"event": "WeightsMoved", "round": 3, "share": 0.02, "step": 0.005},
    {"event": "RoundFinished", "round": 3},
    {"event": "LossMeasured", "round": 4, "loss": 0.44},
]


def test_a_run_tells_what_each_round_did() -> None:
    first, second, third, fourth = round_progress(EVENTS)
    assert first == RoundProgress(round=1, loss_before=0.5, loss=0.45, movement=0.01, step=0.0025)
    assert (first.is_worse, first.moves_far) == (False, False)
    assert (second.loss_before, second.loss, second.is_worse, second.moves_far) == (
        0.45,
        0.46,
        True,
        True,
    )
    assert (third.loss, third.is_worse, third.movement) == (None, False, 0.02)
    # Compared with the last round that was measured.
    assert (fourth.loss_before, fourth.is_worse, fourth.movement) == (0.46, False, None)


def test_a_run_of_an_earlier_release_tells_what_it_knows() -> None:
    (only,) = round_progress([{"event": "LossMeasured", "round": 3, "loss": 0.5}])
    assert only == RoundProgress(round=3, loss=0.5)
    assert round_progress([]) == []


@given(loss=st.floats(0.01, 10))
def test_the_same_loss_is_not_worse(loss: float) -> None:
    assert not is_worse(loss, loss)
    assert is_worse(loss, 1.01 * loss)
    assert not is_worse(1.01 * loss, loss)


def test_every_round_is_told_and_then_shown() -> None:
    generator = build_generator(GeneratorSettings(size="tiny"))
    weight = np.full((2, 2), 2.0, np.float32)
    states = [
        FederationState(round=number, model={"unet.weight": weight * (1 + 0.1 * number)})
        for number in range(3)
    ]
    events: list[Event] = []
    shown: list[tuple[int, bool]] = []
    show = telling_movement(
        lambda state, last: shown.append((state.round, last)),
        generator,
        states[0],
        5,
        events.append,
    )
    show(states[1], False)
    show(states[2], True)
    assert shown == [(1, False), (2, True)]
    told = [(one.round, one.share, one.step) for one in events if isinstance(one, WeightsMoved)]
    assert told == [
        (1, pytest.approx(0.1), pytest.approx(0.02)),
        (2, pytest.approx(0.1 / 1.1), pytest.approx(0.02 / 1.1)),
    ]
    assert not any(isinstance(one, LossMeasured) for one in events)
