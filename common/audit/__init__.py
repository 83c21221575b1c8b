"""The append-only record of who asked what, what was answered and what left.

Each line holds the hash of the line before it, and a second file the hash of the last one. So
:func:`verify` finds any line that was changed, removed, added or moved, also at the end. The
chain protects against damage and careless or hasty edits; whoever may write both files can also
write a new chain. Whoever must rule that out notes the :class:`AuditHead` elsewhere from time to
time and gives it to :func:`verify`.
"""

from .chain import AuditEntry, AuditHead
from .log import AuditLog, verify

__all__ = ["AuditEntry", "AuditHead", "AuditLog", "verify"]
