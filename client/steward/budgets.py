"""What each data set has spent of its patients' privacy, and may spend, over time."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import AuditError, LedgerError
from ...privacy.joint.plan import both_epsilons
from ...privacy.ledger.view import LedgerRow, LedgerView
from ..policy import load_policy
from ..spending import known_spending
from .home import SiteHome


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The budget of a data set.

    Attributes:
        ceiling: Epsilon that it may spend in its whole life.
        delta: The delta that epsilon is stated at.
        spending: Epsilon of everything so far; ``None`` where that is not known.
        collusion_spending: The same if all other sites of joint sums worked together; ``None``
            where it is no other number.
        head: The ledger's last line, as it is noted elsewhere; empty without a ledger.
        rows: The ledger's lines, the oldest first.
        problem: Why the data set pays for nothing just now; empty if it does.
    """

    ceiling: float
    delta: float
    spending: float | None
    collusion_spending: float | None
    head: str
    rows: tuple[LedgerRow, ...]
    problem: str = ""


def budget_of(home: SiteHome, name: str) -> Budget:
    """Read a data set's budget, and see that nothing of its spending was forgotten.

    Raises:
        ConfigurationError: If its policy cannot be read.
    """
    policy, folder = load_policy(home.policy_of(name)), home.state(name) / "ledger"
    problem, view = "", None
    try:
        if folder.is_dir():
            view = LedgerView.read(folder, colluding_sites=policy.max_colluding_sites)
        known_spending(home.folder, home.state(name), allow_non_private=policy.allow_non_private)
    except (AuditError, LedgerError) as failure:
        problem = failure.message
    total, alone = both_epsilons(view.book.shares(), policy.delta) if view else (0.0, 0.0)
    counts_twice = view is not None and view.book.has_joint and not problem
    return Budget(
        ceiling=policy.epsilon_ceiling,
        delta=policy.delta,
        spending=None if problem else total,
        collusion_spending=alone if counts_twice else None,
        head=str(view.head) if view else "",
        rows=tuple(view.rows()) if view else (),
        problem=problem,
    )
