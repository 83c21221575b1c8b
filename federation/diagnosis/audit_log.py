"""Whether the audit log of one side is as it was written."""

from __future__ import annotations

from pathlib import Path

from ...common.audit import verify
from .finding import NotApplicableError


def check_audit_log(path: Path) -> str:
    """Check every line of an audit log.

    Raises:
        AuditError: If it was changed.
        NotApplicableError: If nothing was put on record yet.
    """
    if not path.exists():
        raise NotApplicableError("Nothing was put on record yet.")
    return f"All {verify(path).length} lines of the audit log are as they were written."
