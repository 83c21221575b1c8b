"""The real server's rounds over toy sites."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fedscan.config.federation import FederationSettings
from fedscan.errors import FedscanError
from fedscan.server.checkpoint import Checkpoints, FederationState
from fedscan.server.collect import Collector
from fedscan.server.events import Event
from fedscan.server.history import History
from fedscan.server.rounds import Rounds
from fedscan.simulation.grid import InProcessGrid
from flwr.app import Message
from flwr.clientapp import ClientApp
from flwr.proto.node_pb2 import NodeInfo
from toy_sites import MODEL, Behaviour, toy_app
from toy_superlink import ToySuperLink


class Federation:
    """Toy sites and the real server's rounds over them; runs resume where the last one ended."""

    def __init__(self, folder: Path) -> None:
        self.history = History(folder / "history.jsonl")
        self.checkpoints_folder = folder / "checkpoints"
        self.events: list[Event] = []
        self.complaints: list[FedscanError] = []
        self.shown: list[tuple[int, bool]] = []
        self.skipped: list[tuple[str, str]] = []

    def run(
        self,
        behaviours: dict[str, Behaviour] | None = None,
        *,
        sites: list[str] | None = None,
        app: Callable[[], ClientApp] | None = None,
        workers: int = 1,
        start: dict[str, Any] | None = None,
        enrolled: list[str] | None = None,
        grid: type[InProcessGrid | ToySuperLink] = InProcessGrid,
        **settings: Any,
    ) -> FederationState:
        chosen = replace(FederationSettings(rounds=2, round_timeout_s=30.0), **settings)
        checkpoints = Checkpoints(
            self.checkpoints_folder, study=("0",), limit=chosen.checkpoints_kept
        )
        state = checkpoints.latest(lambda name, reason: self.skipped.append((name, reason)))
        state = state or FederationState(round=0, model=MODEL)
        self.history.rewind(state.round)
        toy = toy_app(behaviours or {})
        configs = [{"site": site} for site in sites or ["site-1", "site-2", "site-3"]]
        with grid(app or (lambda: toy), configs, workers=workers) as opened:
            if enrolled:
                enrol(opened, enrolled)
            collector = Collector(
                grid=opened,
                settings=chosen,
                observe=self.events.append,
                complain=self.complaints.append,
            )
            rounds = Rounds(
                collector=collector,
                base="0" * 64,
                terms={},
                start=start or {},
                checkpoints=checkpoints,
                history=self.history,
                show=lambda state, last: self.shown.append((state.round, last)),
            )
            return rounds.run(state)

    def codes(self, number: int) -> dict[str, str]:
        return {one.site: one.code for one in self.history.entries() if one.round == number}


class AnsweringTwice(InProcessGrid):
    """A network that brings every answer twice, as a site may send it."""

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        return [reply for reply in super().pull_messages(message_ids) for _ in range(2)]


def enrol(grid: InProcessGrid, names: Sequence[str]) -> None:
    """Let the network know its nodes by these names, as Flower's SuperLink does."""
    nodes = zip(grid.get_node_ids(), names, strict=True)
    known = [NodeInfo(node_id=node, name=name) for node, name in nodes]
    grid.get_nodes = lambda: known  # type: ignore[method-assign]
