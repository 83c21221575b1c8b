"""Sites without data that take part in joint sums with real keys and masks, well or badly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from fedscan.config.federation import FederationSettings
from fedscan.errors import FedscanError
from fedscan.federation.joint.keys import StudyKey
from fedscan.federation.joint.masks import add_masks
from fedscan.federation.joint.messages import RevealRequest, to_rows
from fedscan.federation.joint.pairs import PairSecrets
from fedscan.federation.joint.roster import ROSTER, Roster
from fedscan.federation.protocol import ENCAPSULATED, READY, REVEAL, SUM, RoundReply, RoundRequest
from fedscan.server.asking import Sites
from fedscan.server.events import Event
from fedscan.server.joint.attempts import Attempts
from fedscan.server.joint.opening import Total
from fedscan.server.joint.search import Search
from fedscan.server.joint.secure_sum import Judge, SecureSums
from fedscan.simulation.grid import InProcessGrid
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from toy_superlink import ToySuperLink

STUDY = "5" * 64
SIZE = 1000

#: What a site does when it is asked: nothing (it is honest), die, or answer with a code.
Mishap = str


class ToyJointSite:
    """One site: it keeps its parts, and opens each for one set of members.

    Args:
        name: Its name.
        key: Its keys.
        number: What its parts are made of.
    """

    def __init__(self, name: str, key: StudyKey, number: int) -> None:
        self.name, self.key, self.number = name, key, number
        self.parts: dict[str, np.ndarray] = {}
        self.members: dict[str, tuple[str, ...]] = {}
        #: What happens at the next messages of a kind, in their order.
        self.mishaps: dict[str, list[Mishap]] = {"train": [], REVEAL: []}
        self.asked: list[tuple[str, int]] = []
        self.garbage = False

    def mishap(self, kind: str) -> str:
        """Return the code that the site answers with, if any; raise if it dies."""
        what = self.mishaps[kind].pop(0) if self.mishaps[kind] else ""
        if what == "die":
            raise RuntimeError("killed")
        return what

    def begin(self, request: RoundRequest, pairs: PairSecrets) -> RoundReply:
        """Answer that a part is ready."""
        self.asked.append(("train", request.attempt))
        if code := self.mishap("train"):
            return RoundReply(site=self.name, request="", code=code)
        message = request.digest()
        fresh = np.random.default_rng().integers(-5, 5, SIZE)
        self.parts.setdefault(message, (fresh + self.number).astype(np.uint32))
        rows = to_rows(pairs.encapsulations())
        tensors = {READY: np.ones(1, np.float32), **({ENCAPSULATED: rows} if len(rows) else {})}
        return RoundReply(site=self.name, request=message, tensors=tensors)

    def reveal(self, reveal: RevealRequest, pairs: PairSecrets) -> RoundReply:
        """Answer with the masked part."""
        self.asked.append((REVEAL, reveal.request.attempt))
        if code := self.mishap(REVEAL):
            return RoundReply(site=self.name, request="", code=code)
        if self.members.setdefault(reveal.message, reveal.members) != reveal.members:
            return RoundReply(site=self.name, request="", code="roster")
        secrets = pairs.secrets(reveal.members, reveal.encapsulations)
        part = add_masks(self.parts[reveal.message], self.name, secrets, reveal.context)
        if self.garbage:
            part = np.random.default_rng(1).integers(0, 2**32, SIZE, dtype=np.uint32)
        return RoundReply(site=self.name, request=reveal.message, tensors={SUM: part})


class ToyJointStudy:
    """Four toy sites and the real coordinator's sums over them.

    Args:
        folder: Where both sides keep what they must not forget.
        names: The sites.
        min_sites: Fewest sites of a sum.
        spare_attempts: Attempts that may be lost.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str] = ("east", "north", "south", "west"),
        *,
        min_sites: int = 3,
        spare_attempts: int = 2,
    ) -> None:
        self.folder = folder
        keys = {name: StudyKey.generate(STUDY, name, None) for name in names}
        self.sites = {
            name: ToyJointSite(name, keys[name], number) for number, name in enumerate(names)
        }
        self.roster = Roster(
            study=STUDY,
            members=tuple(keys[name].public for name in sorted(names)),
            min_sites=min_sites,
            colluding_sites=1,
            minimum_share=0.7,
            clip_norm=1.0,
            sample_rate=0.5,
            steps=5,
            spare_attempts=spare_attempts,
        )
        self.grid: type[InProcessGrid | ToySuperLink] = InProcessGrid
        self.events: list[Event] = []
        self.complaints: list[FedscanError] = []
        self.away: set[str] = set()

    def request(self, attempt: int, number: int = 1) -> RoundRequest:
        """Return what begins an attempt of a round."""
        return RoundRequest(
            round=number,
            rounds=100,
            base="0" * 64,
            terms={ROSTER: self.roster.to_text()},
            tensors={"w": np.zeros(3, np.float32)},
            attempt=attempt,
        )

    def total(
        self,
        number: int = 1,
        *,
        judge: Judge = lambda total: None,
        half_will_do: bool = False,
        **settings: object,
    ) -> Total:
        """Return the sum of a round, asked for by a coordinator that has just started."""
        chosen = FederationSettings(round_timeout_s=20.0, wait_timeout_s=0.05, **settings)  # type: ignore[arg-type]
        with self.grid(self._app, [{"site": name} for name in self.sites]) as grid:
            sums = SecureSums(
                sites=Sites(grid=grid, complain=self.complaints.append),
                roster=self.roster,
                settings=chosen,
                attempts=Attempts(self.folder / "attempts.json"),
                search=self.search(),
                connect=lambda target: self._connected(grid),
                observe=self.events.append,
            )
            return sums.total(
                lambda attempt: self.request(attempt, number),
                "train",
                SIZE,
                judge,
                half_will_do=half_will_do,
            )

    def search(self) -> Search:
        """Return what the coordinator has on disk of a search for a site that spoils the sums."""
        return Search(self.folder / "search.json")

    def part_sum(self, total: Total, number: int = 1) -> np.ndarray:
        """Return what the sum must be: of the members' parts in the attempt that came to an end."""
        message = self.request(total.attempt, number).digest()
        parts = [self.sites[name].parts[message] for name in total.members]
        return np.sum(parts, axis=0, dtype=np.uint32)

    def _connected(self, grid: Grid) -> list[int]:
        nodes = zip(grid.get_node_ids(), self.sites, strict=True)
        return [node for node, name in nodes if name not in self.away]

    def _app(self) -> ClientApp:
        app = ClientApp()

        def own(context: Context) -> tuple[ToyJointSite, PairSecrets]:
            site = self.sites[str(context.node_config["site"])]
            return site, PairSecrets(site.key, self.roster, self.folder / site.name)

        def answer(make: Callable[[], RoundReply], message: Message) -> Message:
            return Message(make().to_records(), reply_to=message)

        @app.train()
        def train(message: Message, context: Context) -> Message:
            site, pairs = own(context)
            request = RoundRequest.from_records(message.content)
            return answer(lambda: site.begin(request, pairs), message)

        @app.query(REVEAL)
        def reveal(message: Message, context: Context) -> Message:
            site, pairs = own(context)
            asked = RevealRequest.from_records(message.content)
            return answer(lambda: site.reveal(asked, pairs), message)

        return app
