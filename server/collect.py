"""One round's answers: asking every site once and keeping what is usable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from flwr.app import MessageType
from flwr.serverapp import Grid

from ..errors import BudgetExceededError, FedscanError, ProtocolError, UpdateRejectedError
from ..protocol import OK, RoundReply, RoundRequest, Tensors
from ..wire import decode
from .events import Observer, RoundStarted, SiteFinished
from .exchange import Arrival, exchange
from .history import HistoryEntry
from .settings import FederationSettings
from .updates import Update, check_update


@dataclass(kw_only=True, eq=False)
class Collector:
    """Asks the sites, round after round, and remembers their names.

    Attributes:
        grid: Flower's grid, which reaches the sites.
        settings: The federation's settings.
        observe: Told what happens.
        complain: Told about every answer that is refused.
    """

    grid: Grid
    settings: FederationSettings
    observe: Observer
    complain: Callable[[FedscanError], None]
    _names: dict[int, str] = field(default_factory=dict, init=False)
    _retired: set[int] = field(default_factory=set, init=False)

    def collect(
        self, request: RoundRequest, nodes: Sequence[int]
    ) -> tuple[list[Update], list[HistoryEntry]]:
        """Ask the sites for one round.

        A site whose privacy budget is spent is not asked again in this run, but still counts
        as a site that gave nothing.

        Args:
            request: What to ask.
            nodes: Flower's numbers of the connected sites.

        Returns:
            The usable updates, and one entry for each site; both in the order of the sites'
            names, however they arrived.
        """
        asked = [node for node in nodes if node not in self._retired]
        self.observe(RoundStarted(round=request.round, rounds=request.rounds, sites=len(asked)))
        digest = request.digest()
        sent = size_of(request.tensors) + size_of(request.start)
        updates: list[Update] = []
        entries: list[HistoryEntry] = []
        arrivals = exchange(
            self.grid,
            request.to_records(),
            MessageType.TRAIN,
            asked,
            self.settings.round_timeout_s,
        )
        for arrival in arrivals:
            code, reply, update = self._judge(arrival, request, digest)
            if code == BudgetExceededError.code:
                self._retired.add(arrival.node)
            if update is not None:
                updates.append(update)
            entry = HistoryEntry(
                round=request.round,
                site=self._names.get(arrival.node, str(arrival.node)),
                code=code,
                update_norm=update.norm if update is not None else 0.0,
                seconds=round(arrival.seconds, 3),
                bytes_sent=sent,
                bytes_received=size_of(reply.tensors) if reply is not None else 0,
            )
            entries.append(entry)
            self.observe(
                SiteFinished(round=entry.round, site=entry.site, code=code, seconds=arrival.seconds)
            )
        for node in self._retired & set(nodes) - set(asked):
            site = self._names.get(node, str(node))
            entries.append(
                HistoryEntry(round=request.round, site=site, code=BudgetExceededError.code)
            )
        updates, entries = self._refuse_doubles(updates, entries)
        return (
            sorted(updates, key=lambda update: update.site),
            sorted(entries, key=lambda entry: entry.site),
        )

    def _judge(
        self, arrival: Arrival, request: RoundRequest, digest: str
    ) -> tuple[str, RoundReply | None, Update | None]:
        """Return an arrival's code, the reply if one can be read, and its update if usable."""
        if arrival.content is None:
            return arrival.code, None, None
        reply = None
        try:
            reply = RoundReply.from_records(arrival.content)
            if reply.site:
                self._names[arrival.node] = reply.site
            if reply.code != OK:
                return reply.code, reply, None
            if reply.request != digest:
                raise ProtocolError(f"Site {reply.site!r} answers another request.")
            tensors = decode(self.settings.wire, request.tensors, reply.tensors)
            update = check_update(
                replace(reply, tensors=tensors),
                request.tensors,
                max_norm=self.settings.max_update_norm,
                declared_weight=self.settings.weights == "declared",
            )
        except FedscanError as failure:
            self.complain(failure)
            return failure.code, reply, None
        return OK, reply, update

    def _refuse_doubles(
        self, updates: list[Update], entries: list[HistoryEntry]
    ) -> tuple[list[Update], list[HistoryEntry]]:
        """Refuse all updates under a name that came more than once: one of them is an impostor."""
        doubles = {site for site, n in Counter(update.site for update in updates).items() if n > 1}
        for site in sorted(doubles):
            self.complain(UpdateRejectedError(f"Several sites call themselves {site!r}."))
        return (
            [update for update in updates if update.site not in doubles],
            [
                replace(entry, code=UpdateRejectedError.code, update_norm=0.0)
                if entry.site in doubles and entry.code == OK
                else entry
                for entry in entries
            ],
        )


def size_of(tensors: Tensors) -> int:
    """Return the bytes of tensors' values."""
    return sum(array.nbytes for array in tensors.values())
