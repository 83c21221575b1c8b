"""Opening an attempt of a joint sum for its members: their masked parts come, and are added up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from flwr.app import RecordDict
from numpy.typing import NDArray

from ...errors import ProtocolError, RoundFailedError
from ...federation.joint.masks import MaskedTotal
from ...federation.joint.messages import RevealRequest
from ...federation.protocol import OK, REVEAL, SUM, RoundReply, RoundRequest
from ...privacy.joint.ring import from_ring
from ..asking import SiteAnswer, Sites
from ..events import Observer
from ..patience import MOST_REPEATS
from .answers import require_part, without_tensors
from .events import PartReceived

#: What sites that are ready encapsulated to others, by the sites' names.
Ready = dict[str, SiteAnswer[dict[str, bytes]]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Total:
    """The sum over a roster's members.

    Attributes:
        values: Residues modulo 2**32, uint32 ``[N]``.
        members: The sites whose parts are in it, sorted.
        attempt: The attempt that it came of.
        answers: What came of the sites: the masked part, or why there is none.
    """

    values: NDArray[np.uint32]
    members: tuple[str, ...]
    attempt: int
    answers: Sequence[SiteAnswer[int]]

    @property
    def rms(self) -> float:
        """Root mean square of the numbers, in steps of the grid."""
        return float(np.sqrt(np.mean(np.square(from_ring(self.values), dtype=np.float64))))


def combined(totals: Sequence[Total]) -> Total:
    """Return the sum over the members of all sums of one attempt, which share nobody."""
    sum_of_all = MaskedTotal(len(totals[0].values))
    for total in totals:
        sum_of_all.add(total.values)
    return Total(
        values=sum_of_all.total(),
        members=tuple(sorted(name for total in totals for name in total.members)),
        attempt=totals[0].attempt,
        answers=[answer for total in totals for answer in total.answers],
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Opening:
    """Opens the sums of one attempt.

    Attributes:
        sites: The sites.
        request: What began the attempt.
        size: Length of a sum.
        limit_s: Longest wait for the parts, in seconds.
        again: Asks those of some sites that are connected, by name, for their parts once more, and
            returns the answers of those that are ready: a site may have been started anew.
        observe: Told what comes.
    """

    sites: Sites
    request: RoundRequest
    size: int
    limit_s: float
    again: Callable[[Sequence[str]], Ready]
    observe: Observer

    def opened(self, members: tuple[str, ...], ready: Ready) -> Total | None:
        """Return the sum of all members' parts; ``None`` if one of them does not come.

        Args:
            members: The sites that it is opened for, sorted.
            ready: Those and others, as far as they are ready.
        """
        ready = dict(ready)
        if missing := set(members) - set(ready):
            self._complain(missing)
            return None
        total, parts = MaskedTotal(self.size), dict[str, SiteAnswer[int]]()
        reveal = RevealRequest(
            request=without_tensors(self.request), message=self.request.digest(), members=members
        )
        for repeat in range(MOST_REPEATS + 1):
            waiting = [site for site in members if site not in parts]
            if repeat:
                ready |= self.again(waiting)
            contents = {
                ready[site].node: _reveal_to(site, reveal, ready).to_records() for site in waiting
            }
            for part in self._take_parts(contents, reveal, total, set(parts)):
                if part.code == OK:
                    parts[part.site] = part
            if len(parts) == len(members):
                return Total(
                    values=total.total(),
                    members=members,
                    attempt=self.request.attempt,
                    answers=[parts[site] for site in members],
                )
        self._complain(set(members) - set(parts))
        return None

    def _take_parts(
        self,
        contents: Mapping[int, RecordDict],
        reveal: RevealRequest,
        total: MaskedTotal,
        parts: set[str],
    ) -> Sequence[SiteAnswer[int]]:
        def take(reply: RoundReply) -> int:
            require_part(reply, reveal, self.size)
            if reply.site in parts or reply.site not in reveal.members:
                raise ProtocolError(f"Site {reply.site!r} has no part to give.")
            parts.add(reply.site)
            total.add(reply.tensors[SUM])
            return self.size

        answers = []
        for answer in self.sites.ask(contents, f"query.{REVEAL}", self.limit_s, take):
            answers.append(answer)
            self.observe(
                PartReceived(
                    round=self.request.round,
                    attempt=self.request.attempt,
                    site=answer.site,
                    code=answer.code,
                    seconds=answer.seconds,
                    ledger=answer.ledger,
                )
            )
        return answers

    def _complain(self, missing: set[str]) -> None:
        self.sites.complain(
            RoundFailedError(
                f"Attempt {self.request.attempt} of round {self.request.round} lacks the parts of "
                f"{', '.join(sorted(missing))}."
            )
        )


def _reveal_to(site: str, reveal: RevealRequest, ready: Ready) -> RevealRequest:
    earlier = [member for member in reveal.members if member < site]
    parts = {member: (ready[member].result or {}).get(site, b"") for member in earlier}
    return RevealRequest(
        request=reveal.request,
        message=reveal.message,
        members=reveal.members,
        encapsulations={member: content for member, content in parts.items() if content},
    )
