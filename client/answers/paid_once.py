"""A noised count of patients that a study pays for once, and a file that keeps it.

The file is written after the ledger has it on record. If the site dies in between, the next
round draws the same numbers from the stored secret and pays nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...common.files import write_atomically
from ...privacy.ledger import Ledger
from ...privacy.mechanism import SubsampledGaussian
from ...privacy.stream import SecretStream
from ..workspace.participation import Participation
from .allowance import check_not_planned

#: What can be done about a damaged file.
DAMAGED_HINT = (
    "Restore the file from a backup. Without one remove it: in the study's first rounds the same "
    "numbers are drawn again at no cost; later the site cannot take part in this study any more."
)


def keep_paid_once(
    path: Path,
    purpose: str,
    mechanism: SubsampledGaussian,
    draw: Callable[[SecretStream], dict[str, Any]],
    *,
    ledger: Ledger,
    part: Participation,
    result: Callable[[dict[str, Any]], str] | None = None,
) -> None:
    """Pay for a count, draw it and write it; not called again where its file is there.

    Args:
        path: Where it is kept.
        purpose: What the ledger says it was paid for.
        mechanism: What it costs; every patient counts at most once.
        draw: Counts with noise from the given secret stream; the result is written as JSON.
        ledger: The data set's open ledger.
        part: The site's part in the study.
        result: Digest by which the ledger knows the count, where it is to leave the site.

    Raises:
        BudgetExceededError: If the data set cannot pay for it, or it was paid for, cannot be
            repeated any more, and the study's training is planned with all that is left.
        PrivacyError: If the policy does not allow it.
    """
    part.check(mechanism, clip_norm=1.0)
    message = hashlib.sha256(f"{purpose} of study {part.study}".encode()).hexdigest()
    request = part.asked(ledger, message)
    if (earlier := ledger.find(request)) is not None and earlier.erased:
        request = part.asked(ledger, message, attempt=2)
        check_not_planned(ledger, part.study, request)
    reservation = ledger.reserve(request, [mechanism], purpose=purpose, study=part.study)
    numbers = draw(SecretStream(reservation.secret, purpose))
    text = json.dumps(numbers).encode()
    ledger.complete(reservation, result(numbers) if result else hashlib.sha256(text).hexdigest())
    write_atomically(path, text)
