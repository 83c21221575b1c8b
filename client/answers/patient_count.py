"""A site's number of patients, as far as a study may know it: once, and with noise.

The scale of every update tells everybody what the sum of gradients was divided by. The true
number of patients would reveal whether one certain patient is there, so it is a noised one,
paid for like everything else, and drawn once for a study.
"""

from __future__ import annotations

import json

from ...errors import LedgerError
from ...privacy.gaussian_sum import private_count
from ...privacy.ledger import Ledger
from ...privacy.study_costs import count_mechanism
from ..workspace.participation import Participation
from .paid_once import DAMAGED_HINT, keep_paid_once

_KEY = "expected_patients"


def expected_patients(ledger: Ledger, part: Participation) -> float:
    """Return the noised number of patients that a study's updates are scaled by.

    Args:
        ledger: The data set's open ledger; pays the first time.
        part: The site's part in the study.

    Raises:
        BudgetExceededError: If the data set cannot pay for it.
        LedgerError: If the stored number is damaged.
        PrivacyError: If the policy does not allow it.
    """
    path = part.site.studies / f"{part.study}.json"
    if not path.exists():
        mechanism = count_mechanism(part.terms.privacy.epsilon)
        keep_paid_once(
            path,
            "patient count",
            mechanism,
            lambda stream: {
                _KEY: private_count(
                    len(part.patients),
                    noise_multiplier=mechanism.noise_multiplier,
                    stream=stream,
                )
            },
            ledger=ledger,
            part=part,
        )
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))[_KEY])
    except (ValueError, KeyError, TypeError):
        raise LedgerError(
            f"The study's patient count {path.name} is damaged.",
            hint=DAMAGED_HINT,
        ) from None
