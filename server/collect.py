"""One round's answers: asking every site once and keeping what is usable."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from flwr.app import MessageType, RecordDict
from flwr.serverapp import Grid

from ..config.federation import FederationSettings
from ..errors import (
    BudgetExceededError,
    FedscanError,
    ProtocolError,
    StartNeededError,
    UpdateRejectedError,
)
from ..federation.protocol import OK, RoundReply, RoundRequest, Tensors
from ..federation.wire import decode
from .events import Observer, RoundStarted, SiteFinished
from .exchange import Arrival, enrolled_names, exchange, require_own_name
from .history import HistoryEntry
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
    #: The names under which sites were enrolled, where the network knows them.
    _enrolled: Mapping[int, str] = field(default_factory=dict, init=False)
    _retired: set[int] = field(default_factory=set, init=False)
    #: Nodes that have what the warm-up changed.
    _started: set[int] = field(default_factory=set, init=False)

    def collect(
        self,
        request: RoundRequest,
        nodes: Sequence[int],
        earlier: tuple[Sequence[Update], Sequence[HistoryEntry]] = ((), ()),
    ) -> tuple[list[Update], list[HistoryEntry]]:
        """Ask the sites for one round.

        A site whose privacy budget is spent is not asked again in this run, but still counts
        as a site that gave nothing.

        Args:
            request: What to ask.
            nodes: Flower's numbers of the connected sites.
            earlier: What came of asking for the same round before; the sites that gave a usable
                update then are not asked again.

        Returns:
            All usable updates, and one entry for each site; both in the order of the sites'
            names, however they arrived.
        """
        self._enrolled = enrolled_names(self.grid)
        self._names.update(self._enrolled)
        updates = list(earlier[0])
        settled = {update.site for update in updates}
        entries = [entry for entry in earlier[1] if entry.site in settled]
        before = {entry.site: entry.bytes_sent for entry in earlier[1]}
        known = [node for node in nodes if self._names.get(node) not in settled]
        asked = [node for node in known if node not in self._retired]
        self.observe(
            RoundStarted(
                round=request.round,
                rounds=request.rounds,
                sites=len(asked),
                request=request.digest(),
            )
        )
        for arrival, sent, code, reply, update in self._answers(request, asked):
            if code == BudgetExceededError.code:
                self._retired.add(arrival.node)
            if update is not None:
                updates.append(update)
                self._started.add(arrival.node)
            site = self._names.get(arrival.node, str(arrival.node))
            entry = HistoryEntry(
                round=request.round,
                site=site,
                code=code,
                update_norm=update.norm if update is not None else 0.0,
                seconds=round(arrival.seconds, 3),
                bytes_sent=sent + before.get(site, 0),
                bytes_received=size_of(reply.tensors) if reply is not None else 0,
            )
            entries.append(entry)
            self.observe(
                SiteFinished(round=entry.round, site=entry.site, code=code, seconds=arrival.seconds)
            )
        for node in self._retired & set(known) - set(asked):
            site = self._names.get(node, str(node))
            entries.append(
                HistoryEntry(round=request.round, site=site, code=BudgetExceededError.code)
            )
        updates, entries = self._refuse_doubles(updates, entries)
        return (
            sorted(updates, key=lambda update: update.site),
            sorted(entries, key=lambda entry: entry.site),
        )

    def _answers(
        self, request: RoundRequest, nodes: Sequence[int]
    ) -> Iterator[tuple[Arrival, int, str, RoundReply | None, Update | None]]:
        """Ask all sites; yield each arrival with the bytes sent for it, and what it is worth.

        What the warm-up changed is left out for sites that have answered a round of this run:
        they keep it. One that has lost it says so and is asked once more in the same round.
        """
        digest, whole = request.digest(), size_of(request.tensors) + size_of(request.start)
        full, short = request.to_records(), request.without_start().to_records()
        deadline = time.monotonic() + self.settings.round_timeout_s
        contents = {node: short if node in self._started else full for node in nodes}
        without = {node for node in nodes if node in self._started and request.start}
        already = 0
        while contents:
            again: dict[int, RecordDict] = {}
            limit_s = max(0.1, deadline - time.monotonic())
            for arrival in exchange(self.grid, contents, MessageType.TRAIN, limit_s):
                code, reply, update = self._judge(arrival, request, digest)
                node = arrival.node
                if code == StartNeededError.code and node in without:
                    without.remove(node)
                    self._started.discard(node)
                    again[node] = full
                    continue
                sent = size_of(request.tensors) if node in without else already + whole
                yield arrival, sent, code, reply, update
            contents, already = again, size_of(request.tensors)

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
                require_own_name(self._enrolled, arrival.node, reply.site)
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
