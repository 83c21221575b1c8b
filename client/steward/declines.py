"""Studies that the data steward declined, and why: they do not come back to the list that waits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ...common.files import write_atomically
from ...errors import ConfigurationError
from ...federation.invitation import Invitation
from .home import SiteHome


@dataclass(frozen=True, kw_only=True)
class Decline:
    """The steward's no to a study.

    Attributes:
        study: Digest of the study.
        name: What the coordinator calls it.
        reason: Why, in the steward's words; it stays at the site.
        time: When it was declined, UTC.
        invitation: The study itself, so that it can still be approved.
    """

    study: str
    name: str
    reason: str
    time: str
    invitation: Invitation


@dataclass(frozen=True)
class Declines:
    """The folder ``declined``.

    Attributes:
        home: The site's home.
    """

    home: SiteHome

    def keep(self, decline: Decline) -> None:
        """Write a no down; :func:`~fedscan.client.declining.decline_study` says it."""
        content = {
            "reason": decline.reason,
            "time": decline.time,
            "invitation": decline.invitation.to_json().decode(),
        }
        write_atomically(self._path(decline.study), json.dumps(content, indent=2).encode() + b"\n")

    def has(self, study: str) -> bool:
        """Return whether a study was declined."""
        return self._path(study).exists()

    def forget(self, study: str) -> None:
        """Take a no back, as when the study is approved after all."""
        self._path(study).unlink(missing_ok=True)

    def all(self) -> list[Decline]:
        """Return all studies that were declined, the oldest first.

        Raises:
            ConfigurationError: If a file is damaged.
            ProtocolError: If a study in it is of another release.
        """
        files = self.home.declines.glob("*.json")
        return sorted(map(_read, files), key=lambda one: (one.time, one.study))

    def _path(self, study: str) -> Path:
        return self.home.declines / f"{study}.json"


def _read(path: Path) -> Decline:
    try:
        content = json.loads(path.read_bytes())
        text, time = str(content["reason"]), str(content["time"])
        invitation = str(content["invitation"]).encode()
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"The file {path} of a declined study is damaged.",
            hint="Remove it: the study then waits again when it asks, and the audit log still has "
            "the reason.",
        ) from None
    study = Invitation.from_json(invitation)
    return Decline(study=study.digest, name=study.name, reason=text, time=time, invitation=study)
