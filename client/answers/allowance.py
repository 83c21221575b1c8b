"""How often a study may ask: no more releases than the site was told of.

The ledger alone would let a study repeat a round with other tensors until the data set's
ceiling is reached. What a steward approves is one payment for each of the study's rounds.
"""

from __future__ import annotations

from ...errors import BudgetExceededError
from ...privacy.ledger import Ledger
from ...privacy.ledger.entries import Plan, Reserve


def check_allowance(ledger: Ledger, study: str, request: str, *, kind: str, most: int) -> None:
    """Refuse a release that would be one too many; a repeated one is free.

    Args:
        ledger: The data set's open ledger.
        study: Digest of the study.
        request: Digest that the release would be reserved under.
        kind: First word of the reservations' purpose.
        most: Releases of this kind that the study has.

    Raises:
        BudgetExceededError: If the study has had them all.
    """
    payments = [
        entry.record
        for entry in ledger.entries()
        if isinstance(entry.record, Reserve) and entry.record.study == study
    ]
    releases = {one.request for one in payments if one.purpose.partition(" ")[0] == kind}
    if request not in releases and len(releases) >= most:
        raise BudgetExceededError(
            f"The study has had all {most} releases ({kind}) that it was approved for.",
            hint="Nothing was run or spent. More rounds are another study, to be approved anew.",
        )


def check_not_planned(ledger: Ledger, study: str, request: str) -> None:
    """Refuse to pay for something new that must be paid before a study's noise is calibrated.

    The plan gives the training all that is left of the study's epsilon: whatever is paid later,
    the study would spend more than its steward was told. A repeated release is free.

    Args:
        ledger: The data set's open ledger.
        study: Digest of the study.
        request: Digest that the release would be reserved under.

    Raises:
        BudgetExceededError: If the study's training is planned.
    """
    records = [entry.record for entry in ledger.entries()]
    has_plan = any(isinstance(one, Plan) and one.study == study for one in records)
    is_repetition = any(isinstance(one, Reserve) and one.request == request for one in records)
    if has_plan and not is_repetition:
        raise BudgetExceededError(
            "The study's training has been planned with all of its budget.",
            hint="Nothing was run or spent. What is paid for once is for before the first round.",
        )
