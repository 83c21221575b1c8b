"""Whether this home is the one whose ledgers the coordinator has counter-signed.

Only somebody outside can tell a home from an older copy of it, or from a second one that ran
elsewhere: the coordinator signs the lines that the site's ledgers have reached, and a home that
does not have them must not spend.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import LedgerError
from ..federation.counter_signed import CounterSigned, LedgerMark
from ..privacy.ledger.journal import LINES
from ..privacy.ledger.view import LedgerView
from .steward.home import SiteHome


def noted_before(home: SiteHome) -> CounterSigned | None:
    """Return what the coordinator signed when it was last asked; ``None`` if it never did.

    Raises:
        SignatureError: If the file was changed, or the coordinator has another key now.
    """
    if not home.counter_signed.exists() or not home.record_key.exists():
        return None
    key = home.record_key.read_text(encoding="utf-8")
    return CounterSigned.read(home.counter_signed.read_bytes(), key)


def missing_marks(home: SiteHome, counter_signed: CounterSigned) -> dict[LedgerMark, str]:
    """Return the newest line of each ledger that this home has not got, and its data set's name.

    The name is empty where the ledger itself is gone. What a person entered by hand in the place
    of a line stands for it, and for those before it.
    """
    views: dict[str, tuple[str, LedgerView]] = {}
    is_unreadable = False
    for path in sorted(home.folder.glob(f"data/*/ledger/{LINES}")):
        try:
            view = LedgerView.read(path.parent)
        except LedgerError:
            is_unreadable = True  # it spends nothing, and is refused where it is used
            continue
        views[view.name] = (path.parents[1].name, view)
    entries_by_hand = frozenset[str]().union(
        *(view.entered_by_hand() for _, view in views.values())
    )
    marks = {}
    for ledger, lines in counter_signed.lines.items():
        data, own = views.get(ledger, ("", None))
        if own is None and is_unreadable:
            continue
        last_entry = max(
            (index for index, line in enumerate(lines) if line in entries_by_hand), default=-1
        )
        own_lines = own.digests if own else ()
        missing_lines = [line for line in lines[last_entry + 1 :] if line not in own_lines]
        if missing_lines:
            marks[LedgerMark(ledger, missing_lines[-1])] = data
    return marks


def require_lines(home: SiteHome, counter_signed: CounterSigned) -> None:
    """Refuse a home that does not have what the coordinator signed for it.

    Raises:
        LedgerError: If a ledger lacks a line, or is gone.
    """
    missing = missing_marks(home, counter_signed)
    if missing:
        raise LedgerError(
            f"This home is not the one that spent last: {_listed(missing)} which the coordinator "
            f"has counter-signed (last on {counter_signed.time}). It is an older copy, "
            "or another copy of it ran meanwhile.",
            hint="Let only the newest copy run. If that is lost, enter what it spent with "
            "`fedscan site charge`; see 'Restoring a site' in docs/operations.md.",
        )


def _listed(missing: Mapping[LedgerMark, str]) -> str:
    names = sorted(set(missing.values()) - {""})
    parts = [f"the ledger of {name} lacks a line" for name in names]
    if "" in missing.values():
        parts.append("it lacks a whole ledger")
    return " and ".join(parts)
