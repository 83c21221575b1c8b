"""What a ledger's entries add up to; refuses a history that the rules do not allow."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import LedgerError, PrivacyError
from ..joint.shares import JointShare
from ..mechanism import SubsampledGaussian
from .entries import Complete, Entry, Erase, Genesis, Plan, Refuse, Reserve


@dataclass
class Reserved:
    """A reservation and what became of it.

    Attributes:
        sequence: Its entry's sequence number.
        record: What was reserved.
        result: Digest of its one result, or empty while there is none.
        roster: Digest of the roster that the result of a joint sum was masked for, or empty.
        masked_sum: Digest of the masked result, or empty.
        erased: Whether its secret was erased, so that it cannot be repeated any more.
    """

    sequence: int
    record: Reserve
    result: str = ""
    roster: str = ""
    masked_sum: str = ""
    erased: bool = False


class Book:
    """The sum of all entries, entry by entry.

    Args:
        entries: The entries.
        colluding_sites: Other sites that may work with the coordinator by the site's word of
            today. Joint sums that were planned for fewer are counted with so much less noise of the
            others; those of a release that did not note for how many, as they were planned.

    Attributes:
        data_set: Identity of the data set.
        reservations: Every reservation by its sequence number.
        plans: Every study's plan.
        refused: Requests that have a refusal on record.
    """

    def __init__(self, entries: Sequence[Entry] = (), *, colluding_sites: int = 0) -> None:
        self.data_set = ""
        self.colluding_sites = colluding_sites
        self.reservations: dict[int, Reserved] = {}
        self.plans: dict[str, Plan] = {}
        self.refusals: set[str] = set()
        self._by_request: dict[str, Reserved] = {}
        self._by_study: defaultdict[str, list[JointShare]] = defaultdict(list)
        for entry in entries:
            self.add(entry)

    def find(self, request: str) -> Reserved | None:
        """Return the reservation of a request, if there is one."""
        return self._by_request.get(request)

    def mechanisms(
        self, study: str | None = None, *, other_than: str | None = None
    ) -> tuple[SubsampledGaussian, ...]:
        """Return what was spent, equal mechanisms merged into one with all their steps.

        Joint sums count with the noise of all sites that their study counts on.

        Args:
            study: Only this study's, if given.
            other_than: All but this study's, if given.
        """
        return merge([share.joint for share in self.shares(study, other_than=other_than)])

    def own_mechanisms(
        self, study: str | None = None, *, other_than: str | None = None
    ) -> tuple[SubsampledGaussian, ...]:
        """Return the same with the site's own noise alone: what holds if all others collude."""
        return merge([share.own for share in self.shares(study, other_than=other_than)])

    def shares(
        self, study: str | None = None, *, other_than: str | None = None
    ) -> list[JointShare]:
        """Return the same one by one, each as it counts in both ways."""
        return [
            share
            for owner, shares in self._by_study.items()
            if study in (None, owner) and owner != other_than
            for share in shares
        ]

    @property
    def has_joint(self) -> bool:
        """Whether joint sums were paid for, so that what was spent counts in two ways."""
        return any(one.record.joint is not None for one in self.reservations.values())

    def completed_before(self, before: int) -> list[Reserved]:
        """Return completed reservations before a sequence number that still have a secret."""
        return [
            entry
            for entry in self.reservations.values()
            if entry.sequence < before and entry.result and not entry.erased
        ]

    def add(self, entry: Entry) -> None:
        """Take one more entry into account.

        Raises:
            LedgerError: If it contradicts the entries before it; names the line.
        """
        record = entry.record
        if isinstance(record, Genesis) != (entry.sequence == 0):
            raise _contradiction(entry, "only the first line begins a ledger")
        match record:
            case Genesis():
                self.data_set = record.data_set
            case Plan():
                if record.study in self.plans:
                    raise _contradiction(entry, "its study has a plan already")
                self.plans[record.study] = record
            case Reserve():
                self._reserve(entry, record)
            case Complete():
                reservation = self.reservations.get(record.reservation)
                if reservation is None or reservation.result:
                    raise _contradiction(entry, "it completes no open reservation")
                is_joint = reservation.record.joint is not None
                if {record.roster is not None, record.masked_sum is not None} != {is_joint}:
                    raise _contradiction(entry, "a joint sum leaves for one roster, and no other")
                reservation.result = record.result
                reservation.roster = record.roster or ""
                reservation.masked_sum = record.masked_sum or ""
            case Refuse():
                self.refusals.add(record.request)
            case Erase():
                for reservation in self.completed_before(record.before):
                    reservation.erased = True

    def _reserve(self, entry: Entry, record: Reserve) -> None:
        if record.request in self._by_request:
            raise _contradiction(entry, "its request was paid for already")
        if not record.epsilon <= record.ceiling:
            raise _contradiction(entry, "it passes its ceiling")
        alone, ceiling = record.collusion_epsilon, record.collusion_ceiling
        if (alone is None) != (ceiling is None) or (alone or 0) > (ceiling or 0):
            raise _contradiction(entry, "it passes its ceiling of collusion")
        try:
            shares = shares_of(record.mechanisms, record.joint)
        except PrivacyError as error:
            raise _contradiction(entry, error.message) from None
        reservation = Reserved(entry.sequence, record)
        self.reservations[entry.sequence] = self._by_request[record.request] = reservation
        if record.honest_sites is not None and record.colluding_sites is not None:
            fewer = self.colluding_sites - record.colluding_sites
            shares = [share.among_fewer(record.honest_sites, fewer) for share in shares]
        self._by_study[record.study] += shares


def shares_of(
    own: Sequence[SubsampledGaussian], joint: Sequence[SubsampledGaussian] | None
) -> list[JointShare]:
    """Return mechanisms as they are counted; those of no joint sum with the same noise twice.

    Raises:
        PrivacyError: If they do not belong together.
    """
    joint = own if joint is None else joint
    if len(own) != len(joint):
        raise PrivacyError(f"{len(own)} mechanisms are counted as {len(joint)} joint ones.")
    return [JointShare(*both) for both in zip(own, joint, strict=True)]


def merge(mechanisms: Sequence[SubsampledGaussian]) -> tuple[SubsampledGaussian, ...]:
    """Merge equal mechanisms into one with all their steps, in a fixed order.

    Raises:
        PrivacyError: If one would have more steps than a mechanism can.
    """
    steps: Counter[tuple[float, float]] = Counter()
    for mechanism in mechanisms:
        steps[mechanism.sample_rate, mechanism.noise_multiplier] += mechanism.steps
    return tuple(SubsampledGaussian(*key, count) for key, count in sorted(steps.items()))


def _contradiction(entry: Entry, problem: str) -> LedgerError:
    return LedgerError(
        f"Line {entry.sequence + 1} of the ledger contradicts the lines before it: {problem}.",
        hint="It was not written by fedscan as it stands; see 'Recovery' in docs/ledger.md.",
    )
