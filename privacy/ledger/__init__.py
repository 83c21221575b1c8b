"""The durable, append-only record of what a data set has spent.

A :class:`Ledger` belongs to one data set for its whole life. It holds mechanisms (sample rate,
noise multiplier, steps) and composes them; it never adds epsilons. Budget is taken before a
step runs, and what a step draws at random comes from a secret that is stored before the budget
is taken, so that a crashed step can be repeated to the same bytes and costs nothing twice.

**Promises**, whenever the process dies or the power fails: no step is run that was not paid for;
what was paid for stays on record; a request is paid for once; at most one result ever leaves the
site for each payment; damage is refused with the number of the line, and only a torn last line,
which nobody was told of, is dropped. They rest on a disk that keeps what ``fsync`` returned for.

**Secrets.** Whoever has both a step's secret and its result can subtract the noise and see the
exact sum of the clipped updates and which patients were drawn. The secrets of steps that are
completed should therefore live no longer than the coordinator may ask for a repetition
(:meth:`Ledger.erase_secrets`), stay out of backups, and lie on an encrypted disk.

**What cannot be seen from inside.** Replacing the whole folder by an older copy of itself, or
deleting all of it, undoes history without a trace in it, and a copy that is run elsewhere spends
the same budget again. Only a :class:`LedgerHead` that somebody else kept uncovers this
(:meth:`Ledger.verify`). The chain protects against damage and careless edits; whoever may write
the files can also write a new chain.

**Adaptive choices.** Composition by privacy loss distributions is exact for mechanisms whose
sample rate, noise and number of steps do not depend on earlier private results. A study's are
fixed by its plan before it starts. Choosing the *next* study's after looking at the last one's
generator is outside that theorem; keep such choices to public grounds.
"""

from .entries import Entry
from .journal import LedgerHead
from .ledger import Ledger
from .request import release_digest, request_digest
from .results import Reservation, Spent

__all__ = [
    "Entry",
    "Ledger",
    "LedgerHead",
    "Reservation",
    "Spent",
    "release_digest",
    "request_digest",
]
