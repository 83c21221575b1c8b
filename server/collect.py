"""One round's answers: asking every site once and keeping what is usable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
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
from ..federation.protocol import OK, RoundReply, RoundRequest
from ..federation.wire import decode, size_of
from .asking import SiteAnswer, Sites, log_complaint
from .events import Observer, RoundStarted, SiteFinished
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
    complain: Callable[[FedscanError], None] = log_complaint
    _sites: Sites = field(init=False)
    #: Nodes whose privacy budget is spent.
    _retired_nodes: set[int] = field(default_factory=set, init=False)
    #: Nodes that have what the warm-up changed.
    _started_nodes: set[int] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._sites = Sites(grid=self.grid, complain=self.complain)

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
        updates = list(earlier[0])
        earlier_sites = {update.site for update in updates}
        entries = [entry for entry in earlier[1] if entry.site in earlier_sites]
        before = {entry.site: entry.bytes_sent for entry in earlier[1]}
        candidates = [node for node in nodes if self._sites.name(node) not in earlier_sites]
        recipients = [node for node in candidates if node not in self._retired_nodes]
        self.observe(
            RoundStarted(
                round=request.round,
                rounds=request.rounds,
                sites=len(recipients),
                request=request.digest(),
            )
        )
        for answer, request_size in self._answers(request, recipients):
            if answer.code == BudgetExceededError.code:
                self._retired_nodes.add(answer.node)
            update = answer.result
            if update is not None:
                updates.append(update)
                self._started_nodes.add(answer.node)
            entry = HistoryEntry(
                round=request.round,
                site=answer.site,
                code=answer.code,
                update_norm=update.norm if update is not None else 0.0,
                seconds=round(answer.seconds, 3),
                bytes_sent=request_size + before.get(answer.site, 0),
                bytes_received=answer.size,
            )
            entries.append(entry)
            self.observe(
                SiteFinished(
                    round=entry.round,
                    site=entry.site,
                    code=entry.code,
                    seconds=answer.seconds,
                    ledger=answer.ledger,
                )
            )
        for node in self._retired_nodes & set(candidates) - set(recipients):
            site = self._sites.name(node)
            entries.append(
                HistoryEntry(round=request.round, site=site, code=BudgetExceededError.code)
            )
        by_site = self._sites.refuse_shared_names((update.site, update) for update in updates)
        entries = [
            replace(entry, code=UpdateRejectedError.code, update_norm=0.0)
            if entry.code == OK and entry.site not in by_site
            else entry
            for entry in entries
        ]
        return (
            [by_site[site] for site in sorted(by_site)],
            sorted(entries, key=lambda entry: entry.site),
        )

    def _answers(
        self, request: RoundRequest, nodes: Sequence[int]
    ) -> Iterator[tuple[SiteAnswer[Update], int]]:
        """Ask all sites; yield each one's answer, and the bytes that were sent for it.

        What the warm-up changed is left out for sites that have answered a round of this run:
        they keep it. One that has lost it says so and is asked once more in the same round.
        """
        digest, whole = request.digest(), size_of(request.tensors) + size_of(request.start)
        full, short = request.to_records(), request.without_start().to_records()
        deadline = time.monotonic() + self.settings.round_timeout_s
        contents = {node: short if node in self._started_nodes else full for node in nodes}
        without = {node for node in nodes if node in self._started_nodes and request.start}
        already = 0
        while contents:
            again: dict[int, RecordDict] = {}
            limit_s = max(0.1, deadline - time.monotonic())
            for answer in self._sites.ask(
                contents,
                MessageType.TRAIN,
                limit_s,
                lambda reply: self._update(reply, request, digest),
            ):
                node = answer.node
                if answer.code == StartNeededError.code and node in without:
                    without.remove(node)
                    self._started_nodes.discard(node)
                    again[node] = full
                    continue
                yield answer, size_of(request.tensors) if node in without else already + whole
            contents, already = again, size_of(request.tensors)

    def _update(self, reply: RoundReply, request: RoundRequest, digest: str) -> Update:
        """Make a checked update of a site's result.

        Raises:
            ProtocolError: If it answers another request, or is not in the study's form.
            UpdateRejectedError: If it cannot be an update of the model that was sent.
        """
        if reply.request != digest:
            raise ProtocolError(f"Site {reply.site!r} answers another request.")
        tensors = decode(self.settings.wire, request.tensors, reply.tensors)
        return check_update(
            replace(reply, tensors=tensors),
            request.tensors,
            max_norm=self.settings.max_update_norm,
            declared_weight=self.settings.weights == "declared",
        )
