"""What a site's home proves of a data set's spending, besides the data set's own ledger.

A ledger that was lost, or replaced by an older copy of itself, would silently be a new budget over
the same patients. But a home keeps other traces of what was spent, and a data set whose ledger does
not have what they speak of pays for nothing until a person has settled it:

- the audit log: its newest line about the data set names how far the ledger had come;
- the answers in the audit log of earlier releases, which name no ledger, by their number;
- the counts that a study pays for before its training, which stay in files of their own;
- the approvals: one that the audit log does not know says that the log itself is not whole.

What a person enters by ``fedscan site charge`` stands for what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ..common.audit import AuditLog
from ..errors import LedgerError
from ..privacy.ledger.journal import HEAD, LINES, LedgerHead
from ..privacy.ledger.view import LedgerView
from .policy import SitePolicy

_RESTORE = (
    "Nothing is spent before this is settled. Put the newest copy of the ledger back, or enter "
    "what is missing with `fedscan site charge {data}`; see 'Restoring a site' in "
    "docs/operations.md."
)
_WITHDRAW = (
    "Put the newest audit log and ledger back. If the study has never run, take its approval back "
    "(`fedscan site approve {study} --withdraw`) and approve it anew; if it has, enter what it "
    "spent with `fedscan site charge {data}`."
)


def known_spending(
    home: Path, state: Path, *, allow_non_private: bool, colluding_sites: int = 0
) -> LedgerView | None:
    """Compare a data set's ledger with what else the home knows, and return it.

    Args:
        home: The site's home.
        state: The data set's folder in it.
        allow_non_private: Whether the policy lets studies run that pay for nothing, so that not
            every answer of an earlier release stands for a payment.
        colluding_sites: Other sites that may work with the coordinator by the policy: so joint sums
            are counted.

    Returns:
        The ledger; ``None`` where none was begun and nothing was spent.

    Raises:
        AuditError: If a line of the audit log was changed.
        LedgerError: If the ledger is damaged, or does not have what the home says was spent.
    """
    folder, audit = state / "ledger", AuditLog(home / "audit.jsonl")
    is_there = (folder / LINES).exists() or (folder / HEAD).exists()
    view = LedgerView.read(folder, colluding_sites=colluding_sites) if is_there else None
    last_head = _newest_head(audit, state.name)
    if last_head is not None:
        if view is None or not view.holds(last_head):
            raise _lost(
                view, state.name, f"the audit log has seen its line {last_head.sequence + 1}"
            )
    elif not allow_non_private:
        _require_answers(audit, view, state.name)
    _require_studies(view, state)
    if last_head is None:
        _require_approvals(home, audit, view, state.name)
    return view


def spending_under(policy: SitePolicy, home: Path, state: Path) -> LedgerView | None:
    """Return the same as :func:`known_spending`, counted as a policy says.

    Raises:
        AuditError: If a line of the audit log was changed.
        LedgerError: If the ledger is damaged, or does not have what the home says was spent.
    """
    return known_spending(
        home,
        state,
        allow_non_private=policy.allow_non_private,
        colluding_sites=policy.max_colluding_sites,
    )


def _newest_head(audit: AuditLog, data: str) -> LedgerHead | None:
    for entry in audit.newest_first(f'"data":{json.dumps(data)}'.encode()):
        if entry.facts.get("data") == data and entry.facts.get("ledger"):
            return LedgerHead.parse(str(entry.facts["ledger"]))
    return None


def _require_answers(audit: AuditLog, view: LedgerView | None, data: str) -> None:
    """Count the answers of releases that did not write the ledger's head beside them."""
    answers = {
        entry.facts.get("request")
        for entry in audit.newest_first(b'"answered"')
        if entry.event == "answered"
        and entry.facts.get("data") == data
        and "ledger" not in entry.facts
    }
    reservations = view.book.reservations.values() if view else ()
    results = sum(1 for one in reservations if one.result)
    if len(answers) > results and not (view and view.entered_by_hand()):
        raise _lost(
            view,
            data,
            f"the audit log has {len(answers)} answers that it paid for, and it knows {results}",
        )


def _require_studies(view: LedgerView | None, state: Path) -> None:
    studies = {one.record.study for one in view.book.reservations.values()} if view else set()
    # What a person entered stands for studies that the ledger cannot name.
    if view and view.entered_by_hand():
        return
    for path in sorted((state / "studies").glob("*.json")):
        study = path.name.partition(".")[0]
        if study not in studies:
            raise _lost(view, state.name, f"study {study[:12]} has paid from it for a count")


def _require_approvals(home: Path, audit: AuditLog, view: LedgerView | None, data: str) -> None:
    approvals = set(_approved(home, data))
    if not approvals:
        return
    studies_on_record = {
        entry.facts.get("study") for entry in audit.newest_first(b'"study-approved"')
    }
    studies_in_ledger = (
        {one.record.study for one in view.book.reservations.values()} if view else set()
    )
    for study in sorted(approvals - studies_on_record - studies_in_ledger):
        raise LedgerError(
            f"What the data set {data} has spent is not known: the audit log does not have the "
            f"approval of study {study[:12]}, so it is not the home's own, or was lost.",
            hint=_WITHDRAW.format(data=data, study=study[:12]),
        )


def _approved(home: Path, data: str) -> Iterator[str]:
    for path in (home / "approvals").glob("*.json"):
        try:
            approval = json.loads(path.read_bytes())
            if approval["data"] == data:
                yield str(approval["study"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a damaged approval is refused where it is used


def _lost(view: LedgerView | None, data: str, trace: str) -> LedgerError:
    problem = (
        f"The ledger of data set {data} is lost"
        if view is None
        else f"The ledger of data set {data} is older than this home, or another one"
    )
    return LedgerError(f"{problem}: {trace}.", hint=_RESTORE.format(data=data))
