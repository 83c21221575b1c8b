"""A ledger that pays for joint sums, and what it pays for."""

from __future__ import annotations

from pathlib import Path

from fedscan.privacy.joint.shares import JointShare
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.mechanism import SubsampledGaussian

DELTA = 1e-5
LOCAL = SubsampledGaussian(1.0, 20.0, 1)
SHARE = JointShare.of(SubsampledGaussian(1.0, 10.0, 1), honest=4, minimum=10.0)

ROSTER, OTHER, MASKED, RESULT = (f"{number:064x}" for number in (101, 102, 103, 104))


def digest(number: int) -> str:
    return f"{number:064x}"


def open_ledger(folder: Path, ceiling: float = 8.0, collusion: float = 20.0) -> Ledger:
    return Ledger.open(
        folder, "data", epsilon_ceiling=ceiling, collusion_ceiling=collusion, delta=DELTA
    )


def pay(ledger: Ledger, number: int, share: JointShare = SHARE):
    return ledger.reserve(
        digest(number), [share.own], joint=[share.joint], purpose=f"round {number}", study=digest(0)
    )
