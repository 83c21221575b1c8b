"""One site's real ClientApp, asked as a coordinator asks it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fedscan.client.policy import SitePolicy, write_policy
from fedscan.federation.protocol import RoundReply, RoundRequest
from fedscan.privacy.ledger.entries import Reserve
from fedscan.simulation.apps import load_client_app
from fedscan.simulation.grid import InProcessGrid
from flwr.app import Message, RecordDict
from site_homes import paid
from tiny_hospitals import write_hospitals

OPEN = SitePolicy(min_patients=1, min_noise_multiplier=0.0, epsilon_ceiling=8.0)


class Hospital:
    """One site as its coordinator reaches it."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.data, self.state = folder / "data" / "site", folder / "state"
        write_hospitals(self.data.parent, {"site": 4})
        self.config = {
            "site": "site",
            "data": str(self.data),
            "state": str(self.state),
            "base": str(base),
        }
        self.allow(OPEN)

    def allow(self, policy: SitePolicy) -> None:
        write_policy(self.state / "policy.toml", policy)

    def tell(self, records: RecordDict, kind: str = "train") -> RecordDict:
        with InProcessGrid(load_client_app, [self.config]) as grid:
            (reply,) = grid.send_and_receive([Message(records, grid.get_node_ids()[0], kind)])
        assert reply.has_content()
        return reply.content

    def ask(self, request: RoundRequest, kind: str = "train") -> RoundReply:
        return RoundReply.from_records(self.tell(request.to_records(), kind))

    def query(self, request: RoundRequest) -> RoundReply:
        """Ask for the composition of a round's study."""
        return self.ask(replace(request, round=0, tensors={}), "query.composition")

    def paid(self) -> list[Reserve]:
        return paid(self.state)
