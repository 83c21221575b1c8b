"""What a ledger's entries add up to; refuses a history that the rules do not allow."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import LedgerError
from ..mechanism import SubsampledGaussian
from .entries import Complete, Entry, Erase, Genesis, Plan, Refuse, Reserve


@dataclass
class Reserved:
    """A reservation and what became of it.

    Attributes:
        sequence: Its entry's sequence number.
        record: What was reserved.
        result: Digest of its one result, or empty while there is none.
        erased: Whether its secret was erased, so that it cannot be repeated any more.
    """

    sequence: int
    record: Reserve
    result: str = ""
    erased: bool = False


class Book:
    """The sum of all entries, entry by entry.

    Attributes:
        data_set: Identity of the data set.
        reservations: Every reservation by its sequence number.
        plans: Every study's plan.
        refused: Requests that have a refusal on record.
    """

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self.data_set = ""
        self.reservations: dict[int, Reserved] = {}
        self.plans: dict[str, Plan] = {}
        self.refusals: set[str] = set()
        self._by_request: dict[str, Reserved] = {}
        self._by_study: defaultdict[str, list[SubsampledGaussian]] = defaultdict(list)
        for entry in entries:
            self.add(entry)

    def find(self, request: str) -> Reserved | None:
        """Return the reservation of a request, if there is one."""
        return self._by_request.get(request)

    def mechanisms(
        self, study: str | None = None, *, other_than: str | None = None
    ) -> tuple[SubsampledGaussian, ...]:
        """Return what was spent, equal mechanisms merged into one with all their steps.

        Args:
            study: Only this study's, if given.
            other_than: All but this study's, if given.
        """
        return merge(
            [
                mechanism
                for owner, mechanisms in self._by_study.items()
                if study in (None, owner) and owner != other_than
                for mechanism in mechanisms
            ]
        )

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
                reservation.result = record.result
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
        reservation = Reserved(entry.sequence, record)
        self.reservations[entry.sequence] = self._by_request[record.request] = reservation
        self._by_study[record.study] += record.mechanisms


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
