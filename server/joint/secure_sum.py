"""One joint sum: who is ready, for whom it is opened, and the total of what comes under masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from flwr.app import RecordDict
from numpy.typing import NDArray

from ...config.federation import FederationSettings
from ...errors import ProtocolError, RoundFailedError
from ...federation.joint.masks import MaskedTotal
from ...federation.joint.messages import RevealRequest
from ...federation.joint.roster import Roster
from ...federation.protocol import OK, REVEAL, SUM, RoundReply, RoundRequest
from ...privacy.joint.ring import from_ring
from ..asking import SiteAnswer, Sites
from ..events import AttemptLost, Observer, PartReady, PartReceived, SumSettled
from ..meanings import advice, described
from ..patience import MOST_REPEATS, RESUME_HINT, Patience
from .answers import read_encapsulations, require_part, without_tensors
from .attempts import Attempts

#: Sums of residues whose masks did not cancel are spread evenly over all residues: their root mean
#: square is 2**31 / sqrt(3). What a study can sum stays far below this.
_LARGEST_RMS = 2.0**29


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


@dataclass(kw_only=True, eq=False)
class SecureSums:
    """Asks a roster's sites for sums.

    Attributes:
        sites: The sites.
        roster: The study's roster.
        settings: How many are needed, and how long to wait.
        attempts: What of this is on disk.
        connect: Waits for so many sites and returns the nodes of those that are connected.
        observe: Told what happens.
    """

    sites: Sites
    roster: Roster
    settings: FederationSettings
    attempts: Attempts
    connect: Callable[[int], list[int]]
    observe: Observer
    _fewest: int = field(init=False)

    def __post_init__(self) -> None:
        self._fewest = max(self.roster.min_sites, self.settings.min_results)

    def total(
        self,
        request_of: Callable[[int], RoundRequest],
        kind: str,
        size: int,
        largest_rms: float = _LARGEST_RMS,
    ) -> Total:
        """Return a sum, begun anew as often as the study has spare attempts.

        Args:
            request_of: Returns what begins an attempt of the sum.
            kind: Flower's type of the message that begins it.
            size: Length of the sum.
            largest_rms: Largest root mean square of the numbers that can be a sum of honest parts,
                in steps of the grid.

        Raises:
            RoundFailedError: If too few sites were ready, or the spare attempts are used up.
        """
        while True:
            request = request_of(self.attempts.current(request_of(1).round).number)
            ready = self._ready(request, kind)
            total = self._opened(request, kind, size, ready)
            reason = "a site was lost" if total is None else ""
            if total is not None and not (rms := _rms(total.values)) <= min(
                largest_rms, _LARGEST_RMS
            ):
                reason = f"the sum is out of range (root mean square {rms:.3g})"
            if total is not None and not reason:
                return total
            self._give_up(request, reason)

    def _ready(self, request: RoundRequest, kind: str) -> dict[str, SiteAnswer[dict[str, bytes]]]:
        """Return the answers of the sites that have their part, by name."""
        members = self.attempts.current(request.round).members
        enough = len(members) or self._fewest
        patience = Patience(self.settings.approval_timeout_s, self.observe)
        ready: dict[str, SiteAnswer[dict[str, bytes]]] = {}
        codes: dict[str, str] = {}
        while True:
            nodes = [node for node in self.connect(enough) if self.sites.name(node) not in ready]
            asked_now = {}
            answers = []
            for answer in self._begin(request, kind, nodes):
                asked_now[answer.site] = answer.code
                answers.append((answer.site, answer))
            ready |= {
                site: answer
                for site, answer in self.sites.refuse_shared_names(answers).items()
                if answer.result is not None and (not members or site in members)
            }
            codes |= asked_now
            if len(ready) >= enough or (members and not patience.waits(request.round, asked_now)):
                return ready
            if not members and not patience.waits(request.round, asked_now):
                raise RoundFailedError(
                    f"{len(ready)} of the {enough} sites that a joint sum needs are ready for "
                    f"round {request.round} ({described(codes)}).",
                    hint=f"{advice(codes.values())} {RESUME_HINT}".lstrip(),
                )

    def _begin(
        self, request: RoundRequest, kind: str, nodes: Sequence[int]
    ) -> Sequence[SiteAnswer[dict[str, bytes]]]:
        digest, records = request.digest(), request.to_records()
        answers = []
        for answer in self.sites.ask(
            dict.fromkeys(nodes, records),
            kind,
            self.settings.round_timeout_s,
            lambda reply: read_encapsulations(reply, digest, self.roster),
        ):
            answers.append(answer)
            self.observe(
                PartReady(
                    round=request.round,
                    attempt=request.attempt,
                    site=answer.site,
                    code=answer.code,
                    seconds=answer.seconds,
                    ledger=answer.ledger,
                )
            )
        return answers

    def _opened(
        self,
        request: RoundRequest,
        kind: str,
        size: int,
        ready: dict[str, SiteAnswer[dict[str, bytes]]],
    ) -> Total | None:
        """Return the sum of all members' parts; ``None`` if one of them does not come."""
        members = self.attempts.current(request.round).members
        if not members:
            members = tuple(sorted(ready))
            self.attempts.settle(request.round, members)
            self.observe(SumSettled(round=request.round, attempt=request.attempt, sites=members))
        if missing := set(members) - set(ready):
            self._complain(request, missing)
            return None
        total, parts = MaskedTotal(size), dict[str, SiteAnswer[int]]()
        reveal = RevealRequest(
            request=without_tensors(request), message=request.digest(), members=members
        )
        for repeat in range(MOST_REPEATS + 1):
            waiting = [site for site in members if site not in parts]
            if repeat:
                # It may have been started anew, and its part made again.
                nodes = {ready[site].node for site in waiting} & set(self.connect(len(members)))
                for answer in self._begin(request, kind, sorted(nodes)):
                    if answer.result is not None:
                        ready[answer.site] = answer
            contents = {
                ready[site].node: self._reveal_to(site, reveal, ready).to_records()
                for site in waiting
            }
            for part in self._take_parts(contents, reveal, total, size, set(parts)):
                if part.code == OK:
                    parts[part.site] = part
            if len(parts) == len(members):
                return Total(
                    values=total.total(),
                    members=members,
                    attempt=request.attempt,
                    answers=[parts[site] for site in members],
                )
        self._complain(request, set(members) - set(parts))
        return None

    def _take_parts(
        self,
        contents: Mapping[int, RecordDict],
        reveal: RevealRequest,
        total: MaskedTotal,
        size: int,
        parts: set[str],
    ) -> Sequence[SiteAnswer[int]]:
        def take(reply: RoundReply) -> int:
            require_part(reply, reveal, size)
            if reply.site in parts or reply.site not in reveal.members:
                raise ProtocolError(f"Site {reply.site!r} has no part to give.")
            parts.add(reply.site)
            total.add(reply.tensors[SUM])
            return size

        answers = []
        for answer in self.sites.ask(
            contents, f"query.{REVEAL}", self.settings.round_timeout_s, take
        ):
            answers.append(answer)
            self.observe(
                PartReceived(
                    round=reveal.request.round,
                    attempt=reveal.request.attempt,
                    site=answer.site,
                    code=answer.code,
                    seconds=answer.seconds,
                    ledger=answer.ledger,
                )
            )
        return answers

    def _reveal_to(
        self,
        site: str,
        reveal: RevealRequest,
        ready: Mapping[str, SiteAnswer[dict[str, bytes]]],
    ) -> RevealRequest:
        earlier = [member for member in reveal.members if member < site]
        parts = {member: (ready[member].result or {}).get(site, b"") for member in earlier}
        return RevealRequest(
            request=reveal.request,
            message=reveal.message,
            members=reveal.members,
            encapsulations={member: content for member, content in parts.items() if content},
        )

    def _complain(self, request: RoundRequest, missing: set[str]) -> None:
        self.sites.complain(
            RoundFailedError(
                f"Attempt {request.attempt} of round {request.round} lacks the parts of "
                f"{', '.join(sorted(missing))}."
            )
        )

    def _give_up(self, request: RoundRequest, reason: str) -> None:
        """Begin the sum anew, if there is an attempt to spare.

        Raises:
            RoundFailedError: If there is none.
        """
        attempts_used = self.attempts.spare_used() if request.round else request.attempt - 1
        if attempts_used >= self.roster.spare_attempts:
            raise RoundFailedError(
                f"Attempt {request.attempt} of round {request.round} failed, for {reason}, and "
                f"the study has used its {self.roster.spare_attempts} spare attempts.",
                hint=f"When the site is back, the same attempt can go on. {RESUME_HINT}",
            )
        self.attempts.give_up(request.round)
        self.observe(AttemptLost(round=request.round, attempt=request.attempt, reason=reason))


def _rms(values: NDArray[np.uint32]) -> float:
    return float(np.sqrt(np.mean(np.square(from_ring(values), dtype=np.float64))))
