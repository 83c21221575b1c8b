"""Taking no part for a while: requests are answered with ``paused``."""

from __future__ import annotations

from .home import SiteHome


def pause(home: SiteHome) -> None:
    """Take no part from now on; a round that is being trained is finished.

    Raises:
        AuditError: If the disk does not take it.
    """
    home.log.append("paused")
    home.pause_file.touch()


def resume(home: SiteHome) -> None:
    """Take part again.

    Raises:
        AuditError: If the disk does not take it.
    """
    home.log.append("resumed")
    home.pause_file.unlink(missing_ok=True)
