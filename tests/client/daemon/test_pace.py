"""How often a node asks for the next message."""

from __future__ import annotations

import time

import pytest
from fedscan.client.daemon.pace import SHORTEST_S, AskingPace
from hypothesis import given
from hypothesis import strategies as st

FLOWER_S = 3.0


class Clock:
    """A clock that goes on by what is slept."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def paced() -> tuple[Clock, AskingPace]:
    clock = Clock()
    return clock, AskingPace(clock=lambda: clock.now, sleep=clock.sleep)


def test_an_idle_node_asks_as_often_as_flowers() -> None:
    clock, pace = paced()
    pace.pause(FLOWER_S)
    assert clock.pauses == [FLOWER_S]


@given(st.floats(0, 10_000))
def test_little_of_any_wait_is_lost(arrives_after: float) -> None:
    """A message that comes some time after the last answer waits for a tenth of that at most."""
    clock, pace = paced()
    pace.noting(lambda: None)()
    begin = clock.now
    while clock.now - begin < arrives_after:
        pace.pause(FLOWER_S)
    lost = clock.now - begin - arrives_after
    assert lost <= max(SHORTEST_S, min(0.1 * arrives_after, FLOWER_S)) + 1e-6


def test_an_answer_that_fails_counts_too() -> None:
    clock, pace = paced()

    def fails() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        pace.noting(fails)()
    pace.pause(FLOWER_S)
    assert clock.pauses == [SHORTEST_S]


def test_flowers_node_is_the_one_that_is_changed() -> None:
    from flwr.supernode import start_client_internal as node

    # Only this module's pause of three seconds is meant; see ``pace.install``.
    assert node.time is time
