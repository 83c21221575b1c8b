"""Erasing the secrets of steps that no coordinator can go back to."""

from __future__ import annotations

from ...privacy.ledger import Ledger
from ...privacy.ledger.entries import Complete

#: Steps whose secrets are kept: as far back as a coordinator may have to resume.
SECRETS_KEPT = 4


def erase_old_secrets(ledger: Ledger) -> None:
    """Erase the secrets of all but the last completed steps.

    Whoever gets hold of a secret later could subtract the noise of its step.
    """
    reservations = [
        e.record.reservation for e in ledger.entries() if isinstance(e.record, Complete)
    ]
    if len(reservations) > SECRETS_KEPT:
        ledger.erase_secrets(sorted(reservations)[-SECRETS_KEPT])
