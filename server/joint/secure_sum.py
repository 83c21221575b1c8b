"""A joint sum, from who is ready for it to a total that can be one of honest parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ...config.federation import FederationSettings
from ...errors import RoundFailedError
from ...federation.joint.roster import Roster
from ...federation.protocol import RoundRequest
from ..asking import SiteAnswer, Sites
from ..events import Observer
from ..meanings import advice, described
from ..patience import RESUME_HINT, Patience
from .answers import read_encapsulations
from .attempts import Attempts
from .events import AttemptLost, CulpritsFound, PartReady, SitesSuspected, SumSettled
from .opening import Opening, Ready, Total, combined
from .search import Doubt, Search, can_halve

#: Sums of residues whose masks did not cancel are spread evenly over all residues: their root mean
#: square is 2**31 / sqrt(3). What a study can sum stays far below this.
_LARGEST_RMS = 2.0**29

#: Says what speaks against a sum; nothing does if ``None``.
Judge = Callable[[Total], Doubt | None]


@dataclass(kw_only=True, eq=False)
class SecureSums:
    """Asks a roster's sites for sums.

    Attributes:
        sites: The sites.
        roster: The study's roster.
        settings: How many are needed, and how long to wait.
        attempts: What of this is on disk.
        search: Who is looked for, because a sum was wrong.
        connect: Waits for so many sites and returns the nodes of those that are connected.
        observe: Told what happens.
    """

    sites: Sites
    roster: Roster
    settings: FederationSettings
    attempts: Attempts
    search: Search
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
        judge: Judge = lambda total: None,
        *,
        half_will_do: bool = False,
    ) -> Total:
        """Return a sum, begun anew as often as the study has spare attempts.

        Args:
            request_of: Returns what begins an attempt of the sum.
            kind: Flower's type of the message that begins it.
            size: Length of the sum.
            judge: Says what speaks against a sum, besides that it is out of all range.
            half_will_do: Whether the sum of one half of the sites is a result where the other
                half's is wrong.

        Raises:
            RoundFailedError: If too few sites were ready, or the spare attempts are used up.
        """
        while True:
            request = request_of(self.attempts.current(request_of(1).round).number)
            totals = self._opened(request, kind, size, self._ready(request, kind))
            if totals is None:
                self._give_up(request, "a site was lost")
                continue
            doubts = [_out_of_range(total) or judge(total) for total in totals]
            findings = self.search.findings
            total = self._usable(request, totals, doubts, half_will_do)
            reason = "; ".join(doubt.reason for doubt in doubts if doubt)
            self._tell_findings(request, findings.suspects, findings.culprits, reason)
            if total is not None:
                return total
            self._give_up(request, reason)

    def _usable(
        self,
        request: RoundRequest,
        totals: Sequence[Total],
        doubts: Sequence[Doubt | None],
        half_will_do: bool,
    ) -> Total | None:
        """Return what is a result, and take in who may have spoiled the rest; ``None``: nothing."""
        search = self.search
        if not any(doubts):
            if len(totals) > 1:
                search.end()
            return combined(totals)
        has_proof = any(doubt is not None and doubt.is_proof for doubt in doubts)
        if len(totals) == 1:
            (total,) = totals
            halves_can_tell = can_halve(total.members, self._fewest)
            if not has_proof and not (
                halves_can_tell and search.findings.loss_is_sign and self._has_spare(request)
            ):
                return total  # it is told, and a sign alone ends no study
            if halves_can_tell:
                search.begin(total.members)
            return None
        is_wrong = [doubt is not None and doubt.is_proof >= has_proof for doubt in doubts]
        if all(is_wrong) and not has_proof:
            # Both halves make the model worse alike: that is the training, and no one site.
            search.end(loss_is_sign=False)
            return combined(totals)
        pairs = list(zip(totals, is_wrong, strict=True))
        search.narrow([total.members for total, wrong in pairs if wrong])
        rest = [total for total, wrong in pairs if not wrong]
        return rest[0] if rest and half_will_do else None

    def _tell_findings(
        self,
        request: RoundRequest,
        suspects: tuple[str, ...],
        culprits: tuple[str, ...],
        reason: str,
    ) -> None:
        """Tell what has changed since these were the suspects and culprits."""
        findings, names = self.search.findings, {"round": request.round, "attempt": request.attempt}
        if findings.suspects and findings.suspects != suspects:
            self.observe(SitesSuspected(**names, sites=findings.suspects, reason=reason))
        if new := tuple(name for name in findings.culprits if name not in culprits):
            self.observe(CulpritsFound(**names, sites=new, reason=reason))

    def _ready(self, request: RoundRequest, kind: str) -> Ready:
        """Return the answers of the sites that have their part, by name."""
        members = self.attempts.current(request.round).members
        enough = len(members) or self._fewest
        patience = Patience(self.settings.approval_timeout_s, self.observe)
        ready: Ready = {}
        codes: dict[str, str] = {}
        while True:
            nodes = [
                node
                for node in self.connect(enough)
                if (name := self.sites.name(node)) not in ready
                and (name in members or name not in self.search.findings.culprits)
            ]
            asked_now = {}
            answers = []
            for answer in self._begin(request, kind, nodes):
                asked_now[answer.site] = answer.code
                answers.append((answer.site, answer))
            ready |= {
                site: answer
                for site, answer in self.sites.refuse_shared_names(answers).items()
                if answer.result is not None and self._may_take_part(site, members)
            }
            codes |= asked_now
            if len(ready) >= enough or (members and not patience.waits(request.round, asked_now)):
                return ready
            if not members and not patience.waits(request.round, asked_now):
                culprits = ", ".join(self.search.findings.culprits)
                no_more = (
                    f"; no longer asked, for they spoiled a sum: {culprits}" if culprits else ""
                )
                raise RoundFailedError(
                    f"{len(ready)} of the {enough} sites that a joint sum needs are ready for "
                    f"round {request.round} ({described(codes)}{no_more}).",
                    hint=f"{advice(codes.values())} {RESUME_HINT}".lstrip(),
                )

    def _may_take_part(self, site: str, members: tuple[str, ...]) -> bool:
        """Whether a part is asked for: of who is settled, or before that of all but culprits."""
        return site in members if members else site not in self.search.findings.culprits

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
        self, request: RoundRequest, kind: str, size: int, ready: Ready
    ) -> list[Total] | None:
        """Return the attempt's sums, of all members or of each half; ``None`` if one is lost."""
        groups = self.attempts.current(request.round).groups
        if not groups:
            groups = self.search.groups(ready, self._fewest)
            self.attempts.settle(request.round, groups)
            for members in groups:
                self.observe(
                    SumSettled(round=request.round, attempt=request.attempt, sites=members)
                )

        def again(names: Sequence[str]) -> Ready:
            members = sum(map(len, groups))
            nodes = {ready[name].node for name in names} & set(self.connect(members))
            answers = self._begin(request, kind, sorted(nodes))
            return {answer.site: answer for answer in answers if answer.result is not None}

        opening = Opening(
            sites=self.sites,
            request=request,
            size=size,
            limit_s=self.settings.round_timeout_s,
            again=again,
            observe=self.observe,
        )
        totals = []
        for members in groups:
            total = opening.opened(members, ready)
            if total is None:
                return None
            totals.append(total)
        return totals

    def _has_spare(self, request: RoundRequest) -> bool:
        attempts_used = self.attempts.spare_used() if request.round else request.attempt - 1
        return attempts_used < self.roster.spare_attempts

    def _give_up(self, request: RoundRequest, reason: str) -> None:
        """Begin the sum anew, if there is an attempt to spare.

        Raises:
            RoundFailedError: If there is none.
        """
        if not self._has_spare(request):
            suspects = ", ".join(self.search.findings.suspects)
            among = f" It comes of one of {suspects}." if suspects else ""
            raise RoundFailedError(
                f"Attempt {request.attempt} of round {request.round} failed, for {reason}, and "
                f"the study has used its {self.roster.spare_attempts} spare attempts.{among}",
                hint=f"When the site is back, the same attempt can go on. {RESUME_HINT}",
            )
        self.attempts.give_up(request.round)
        self.observe(AttemptLost(round=request.round, attempt=request.attempt, reason=reason))


def _out_of_range(total: Total) -> Doubt | None:
    if total.rms <= _LARGEST_RMS:
        return None
    return Doubt(f"the sum is out of range (root mean square {total.rms:.3g})")
