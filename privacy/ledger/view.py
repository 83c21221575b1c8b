"""A ledger for people: read without a lock, changed by nothing, shown as a table or JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.table import Table

from ...errors import LedgerError
from ..mechanism import SubsampledGaussian
from .book import Book
from .entries import Complete, Entry, Erase, Genesis, Plan, Refuse, Reserve, record_to_dict
from .journal import LedgerHead, read


@dataclass(frozen=True)
class LedgerRow:
    """One line of the table.

    Attributes:
        sequence: The entry's place in the ledger.
        time: When it was written, UTC.
        kind: What it is.
        purpose: What for.
        mechanism: What was to run on the patients.
        epsilon: What all steps up to this one spend together, as recorded at the time.
        collusion_epsilon: The same if all other sites of joint sums worked together; ``None``
            where it is the same number.
        state: What became of it.
    """

    sequence: int
    time: str
    kind: str
    purpose: str = ""
    mechanism: str = ""
    epsilon: float | None = None
    collusion_epsilon: float | None = None
    state: str = ""


@dataclass(frozen=True)
class LedgerView:
    """A ledger as it is on the disk. It has passed all checks that need no secret.

    Attributes:
        entries: All entries.
        book: What they add up to.
        head: The last line.
        torn: Whether an interrupted line follows, which will be dropped.
        digests: SHA-256 of each line.
    """

    entries: tuple[Entry, ...]
    book: Book
    head: LedgerHead
    torn: bool
    digests: tuple[str, ...]

    @classmethod
    def read(
        cls,
        path: Path,
        expected_head: LedgerHead | None = None,
        *,
        colluding_sites: int = 0,
    ) -> LedgerView:
        """Read and check the ledger in a folder; another process may be writing to it.

        Args:
            path: The ledger's folder.
            expected_head: A head that was kept elsewhere; its line must still be in the history.
            colluding_sites: As for :meth:`Ledger.open`.

        Raises:
            LedgerError: If there is none, it is damaged, or its history was changed.
        """
        try:
            contents = read(path)
        except OSError as error:
            raise LedgerError(
                f"The ledger cannot be read: {error.strerror}.",
                hint="Run as the user that trains, or give a copy of its folder.",
            ) from error
        if contents is None:
            raise LedgerError(f"There is no ledger in {path}.", hint="Give a ledger's folder.")
        contents.require(expected_head)
        return cls(
            entries=contents.entries,
            book=Book(contents.entries, colluding_sites=colluding_sites),
            head=contents.head,
            torn=contents.torn_bytes > 0,
            digests=contents.digests,
        )

    @property
    def name(self) -> str:
        """The random name of this very ledger, from its first line."""
        genesis = self.entries[0].record
        return genesis.ledger if isinstance(genesis, Genesis) else ""

    def holds(self, head: LedgerHead) -> bool:
        """Return whether a head that was noted elsewhere is part of this history."""
        return self.digests[head.sequence : head.sequence + 1] == (head.digest,)

    def entered_by_hand(self) -> frozenset[str]:
        """Return the requests of payments that belong to no study: a person entered them."""
        return frozenset(
            one.record.request for one in self.book.reservations.values() if not one.record.study
        )

    def rows(self) -> list[LedgerRow]:
        """Return one row per entry; a step's completion is told in the step's own row."""
        return [
            self._row(entry) for entry in self.entries if not isinstance(entry.record, Complete)
        ]

    def to_json(self) -> str:
        """Return everything as JSON, with what it adds up to."""
        content = {
            "data_set": self.book.data_set,
            "head": asdict(self.head),
            "torn_tail": self.torn,
            "mechanisms": [mechanism.to_dict() for mechanism in self.book.mechanisms()],
            "own_mechanisms": [mechanism.to_dict() for mechanism in self.book.own_mechanisms()],
            "entries": [
                {
                    "sequence": entry.sequence,
                    "time": entry.time,
                    "previous": entry.previous,
                    "record": record_to_dict(entry.record),
                }
                for entry in self.entries
            ],
        }
        return json.dumps(content, indent=2) + "\n"

    def table(self) -> Table:
        """Return the rows as a table for the terminal."""
        table = Table(
            title=f"Privacy ledger of data set {self.book.data_set}",
            caption=f"head {self.head}" + (" (an interrupted line follows)" if self.torn else ""),
        )
        table.add_column("entry", justify="right")
        table.add_column("time (UTC)")
        table.add_column("what")
        table.add_column("mechanism")
        table.add_column("epsilon so far", justify="right")
        if self.book.has_joint:
            table.add_column("if all others collude", justify="right")
        table.add_column("state")
        for row in self.rows():
            epsilons = [row.epsilon]
            if self.book.has_joint:
                alone = row.collusion_epsilon
                epsilons.append(row.epsilon if alone is None else alone)
            table.add_row(
                str(row.sequence),
                row.time.removesuffix("Z").replace("T", " "),
                f"{row.kind}: {row.purpose}" if row.purpose else row.kind,
                row.mechanism,
                *("" if one is None else f"{one:.3f}" for one in epsilons),
                row.state,
            )
        return table

    def _row(self, entry: Entry) -> LedgerRow:
        record = entry.record
        row = LedgerRow(entry.sequence, entry.time, record.kind)
        match record:
            case Genesis():
                return replace(row, state="begun")
            case Plan():
                terms = f"epsilon {record.epsilon:g} at delta {record.delta:g}"
                return replace(
                    row,
                    purpose=f"study {record.study[:8]}, {terms}",
                    mechanism=_shown(record.mechanism, record.joint),
                    state="planned, nothing spent",
                )
            case Reserve():
                reservation = self.book.reservations[entry.sequence]
                state = "completed" if reservation.result else "reserved"
                if reservation.roster:
                    state += f", masked for roster {reservation.roster[:8]}"
                return replace(
                    row,
                    purpose=record.purpose,
                    mechanism=_all_shown(record),
                    epsilon=record.epsilon,
                    collusion_epsilon=record.collusion_epsilon,
                    state=f"{state}, secret erased" if reservation.erased else state,
                )
            case Refuse():
                state = f"refused: {_against(record.epsilon, record.ceiling)}"
                if record.collusion_ceiling is not None:
                    both = record.collusion_epsilon, record.collusion_ceiling
                    state += f", and {_against(*both)} if all others collude"
                return replace(
                    row,
                    purpose=record.purpose,
                    mechanism=_all_shown(record),
                    state=f"{state}, nothing spent",
                )
            case Erase():
                return replace(row, state=f"completed secrets before {record.before} erased")
        return row


def _all_shown(record: Reserve | Refuse) -> str:
    joint = record.joint or (None,) * len(record.mechanisms)
    return ", ".join(map(_shown, record.mechanisms, joint))


def _shown(mechanism: SubsampledGaussian, joint: SubsampledGaussian | None = None) -> str:
    noise = f"{mechanism.noise_multiplier:g}"
    if joint is not None:
        noise += f" of {joint.noise_multiplier:.4g} together"
    return f"{mechanism.steps} x (q {mechanism.sample_rate:g}, sigma {noise})"


def _against(epsilon: float | None, ceiling: float) -> str:
    return f"{'without bound' if epsilon is None else f'{epsilon:.3f}'} against {ceiling:g}"
