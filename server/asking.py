"""Asking sites and taking each one's answer under the name that is its own.

The one way in for whatever sites send: a round's updates, the warm-up's statistics and the
composition at the end. So nothing that is kept can come under another site's name.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from flwr.app import RecordDict
from flwr.serverapp import Grid

from ..errors import FedscanError, ProtocolError, UpdateRejectedError
from ..federation.protocol import OK, RoundReply
from ..federation.wire import size_of
from .exchange import Arrival, exchange

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class SiteAnswer(Generic[Result]):
    """What came of asking one site.

    Attributes:
        node: Flower's number of the site.
        site: The site's own name, or its number while nobody knows a name.
        code: "ok" with a result, else what went wrong.
        seconds: From asking to hearing.
        size: Bytes of the values in the answer, whatever they are worth.
        result: What was made of the answer; ``None`` unless the code is "ok".
        ledger: Which ledger paid for the result, and its last line; empty if it did not say.
    """

    node: int
    site: str
    code: str
    seconds: float
    size: int
    result: Result | None
    ledger: str = ""


def log_complaint(failure: FedscanError) -> None:
    """Write in the coordinator's log why an answer is refused."""
    _log.warning("%s", failure)


@dataclass(kw_only=True, eq=False)
class Sites:
    """The sites of a study: asked by number, known by name.

    Attributes:
        grid: Flower's grid, which reaches the sites.
        complain: Told about every answer that is refused.
    """

    grid: Grid
    complain: Callable[[FedscanError], None] = log_complaint
    #: The names under which nodes were enrolled; empty names where the network knows none. A
    #: node keeps its name for good, and is remembered while it is away.
    _names: dict[int, str] = field(default_factory=dict, init=False)
    #: What nodes without such a name have called themselves.
    _own_words: dict[int, str] = field(default_factory=dict, init=False)

    def name(self, node: int) -> str:
        """Return the name of a node, or its number while nobody knows a name."""
        self._look_up(node)
        return self._names.get(node) or self._own_words.get(node) or str(node)

    def ask(
        self,
        contents: Mapping[int, RecordDict],
        kind: str,
        limit_s: float,
        parse: Callable[[RoundReply], Result],
    ) -> Iterator[SiteAnswer[Result]]:
        """Send each node its content and yield one answer for each, as they come.

        Args:
            contents: What to send, by node.
            kind: Flower's type of the messages, such as ``"train"``.
            limit_s: Longest wait in seconds.
            parse: Makes the result of a reply whose code is "ok", or refuses it with an error.
        """
        # Now, while they are connected: who answers may be gone by the time it is looked at.
        for node in contents:
            self._look_up(node)
        for arrival in exchange(self.grid, contents, kind, limit_s):
            yield self._judge(arrival, parse)

    def refuse_shared_names(self, results: Iterable[tuple[str, Result]]) -> dict[str, Result]:
        """Return results by site, without those of a name that several sites answer under.

        One of them is an impostor, and where the network knows no names, nobody can say which.

        Args:
            results: Pairs of a site's name and what it gave.
        """
        pairs = list(results)
        duplicates = {
            site for site, count in Counter(site for site, _ in pairs).items() if count > 1
        }
        for site in sorted(duplicates):
            self.complain(UpdateRejectedError(f"Several sites call themselves {site!r}."))
        return {site: result for site, result in pairs if site not in duplicates}

    def _judge(self, arrival: Arrival, parse: Callable[[RoundReply], Result]) -> SiteAnswer[Result]:
        code, size, result, ledger = arrival.code, 0, None, ""
        if arrival.content is not None:
            try:
                reply = RoundReply.from_records(arrival.content)
                size = size_of(reply.tensors)
                self._require_own_name(arrival.node, reply)
                code = reply.code
                result = parse(reply) if code == OK else None
                ledger = reply.ledger
            except FedscanError as failure:
                self.complain(failure)
                code = failure.code
        return SiteAnswer(
            node=arrival.node,
            site=self.name(arrival.node),
            code=code,
            seconds=arrival.seconds,
            size=size,
            result=result,
            ledger=ledger,
        )

    def _require_own_name(self, node: int, reply: RoundReply) -> None:
        """Refuse an answer in another site's name, and a result in nobody's.

        Raises:
            ProtocolError: If the node was enrolled under another name, or is not enrolled.
            UpdateRejectedError: If there is a result without a name.
        """
        if not reply.site:
            if reply.code == OK:
                raise UpdateRejectedError("A result came without the name of its site.")
            return
        self._look_up(node)
        if node not in self._names:
            raise ProtocolError(f"A site that is not enrolled answers as {reply.site!r}.")
        own = self._names.get(node) or reply.site
        if reply.site != own:
            raise ProtocolError(f"Site {own!r} answers in the name of {reply.site!r}.")
        self._own_words[node] = reply.site

    def _look_up(self, node: int) -> None:
        """Learn the names of the connected sites, unless this one's is known."""
        if node not in self._names:
            self._names.update({one.node_id: one.name for one in self.grid.get_nodes()})
