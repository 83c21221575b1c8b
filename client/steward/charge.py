"""Entering what a data set spent and its ledger has forgotten, as after a restored backup."""

from __future__ import annotations

import secrets

from ...errors import LedgerError, SignatureError
from ...privacy.ledger import Ledger
from ...privacy.ledger.journal import LINES
from ...privacy.mechanism import SubsampledGaussian
from ..counter_signed import missing_marks, noted_before
from ..data.identity import FILE_NAME, DatasetIdentity
from ..policy import load_policy
from .data_sets import Registry
from .home import SiteHome

#: What was spent is put on record whether or not the site would allow it today.
_NO_CEILING = 1e9


def charge(home: SiteHome, data_set: str, mechanism: SubsampledGaussian, purpose: str) -> float:
    """Enter steps into a data set's ledger that ran, or may have run, and are not in it.

    Args:
        home: The site's home.
        data_set: The data set's name.
        mechanism: All of the steps. Too many or too little noise is the safe side.
        purpose: Why, for the record.

    Returns:
        Epsilon of everything, at the delta of the site's policy.

    Raises:
        DataError: If the site has no such data set.
        LedgerError: If the data set's identity is missing, or the ledger cannot be opened.
    """
    entry = Registry(home).get(data_set)
    state = home.state(entry.name)
    # Where the ledger is lost as well, nothing is left that a new identity could contradict.
    if not (state / FILE_NAME).is_file() and (state / "ledger" / LINES).exists():
        raise LedgerError(
            f"{state / FILE_NAME} is missing.",
            hint="Restore it from the backup: a new identity would begin a new budget over the "
            "same patients.",
        )
    delta = load_policy(home.policy_of(entry.name)).delta
    identity = DatasetIdentity.load_or_create(state)
    home.log.append("budget-charged", data=entry.name, steps=mechanism.steps, purpose=purpose)
    stands_for = _signed_line(home, entry.name)
    with Ledger.open(
        state / "ledger", identity.name, epsilon_ceiling=_NO_CEILING, delta=delta
    ) as ledger:
        ledger.reserve(stands_for or secrets.token_hex(32), [mechanism], purpose=purpose)
        # From here on this is what the audit log says of the ledger.
        home.log.append("ledger-settled", data=entry.name, ledger=str(ledger.head()))
        return ledger.spent().epsilon


def _signed_line(home: SiteHome, data: str) -> str:
    """Return the line that the coordinator counter-signed and the ledger lacks; empty if none."""
    try:
        counter_signed = noted_before(home)
    except SignatureError:
        counter_signed = None
    missing = missing_marks(home, counter_signed) if counter_signed else {}
    lines = [mark.line for mark, name in missing.items() if name == data]
    lines += [mark.line for mark, name in missing.items() if not name]
    return lines[0] if lines else ""
