"""Studies that the data steward declined, and why: they do not come back to the list that waits."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ...common.files import write_atomically
from ...errors import ConfigurationError, FedscanError, NotApprovedError
from ...federation.invitation import Invitation
from ...federation.joint.roster import ROSTER, Roster, without_roster
from ..answers.joint.erasing import erase_keys
from ..answers.joint.pairs import key_file
from ..site import Site, study_keys
from .data_sets import Registry
from .home import SiteHome

#: More is a letter, and belongs elsewhere.
_LONGEST_REASON = 1000


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

    def decline(self, invitation: Invitation, reason: str) -> Decline:
        """Put a no on record, in the audit log first; the study does not wait any more.

        What the coordinator gets is what every study gets that is not approved: a code. Keys that
        were made for a joint study are erased, and what they protected: such a study cannot be
        approved any more. Until they are, it still waits: who was interrupted declines it again.

        Args:
            invitation: The study.
            reason: Why.

        Raises:
            AuditError: If the disk does not take it.
            ConfigurationError: If there is no reason, or it is a letter.
            LedgerError: If parts of the study's sums were erased, and the secrets of its steps
                cannot be.
            NotApprovedError: If the study is approved: an approval is taken back instead.
        """
        text = " ".join(reason.split())
        if not text or len(text) > _LONGEST_REASON:
            raise ConfigurationError(
                f"A reason has 1 to {_LONGEST_REASON} characters, this one {len(text)}.",
                hint="Say in a sentence why the study is declined. It stays at this site.",
            )
        study = invitation.digest
        if (self.home.approvals / f"{study}.json").exists():
            raise NotApprovedError(
                f"The study {study[:12]} is approved.",
                hint=f"`fedscan site approve {study[:12]} --withdraw` takes the approval back.",
            )
        time = datetime.now(UTC).isoformat(timespec="seconds")
        self.home.log.append("study-declined", study=study, reason=text)
        self._erase(invitation)
        content = {"reason": text, "time": time, "invitation": invitation.to_json().decode()}
        write_atomically(self._path(study), json.dumps(content, indent=2).encode() + b"\n")
        (self.home.pending / f"{study}.json").unlink(missing_ok=True)
        return _decline(invitation, text, time)

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

    def _erase(self, invitation: Invitation) -> None:
        """Erase a joint study's keys, unless an approved study goes by the same ones."""
        study, draft = invitation.digest, without_roster(invitation.request).study()
        keys = study_keys(self.home.folder)
        has_keys = ROSTER in invitation.terms or key_file(keys, draft).exists()
        if not has_keys or draft in self._approved_drafts():
            return
        if erase_keys(keys, draft, _roster(invitation), study):
            self.home.log.append("keys-erased", study=study, by="steward")
        for name, entry in Registry(self.home).data_sets().items():
            site = Site(
                name=self.home.settings().name,
                data=Path(entry.folder),
                state=self.home.state(name),
                base=Path(self.home.settings().base),
                home=self.home.folder,
            )
            if site.sums(study).exists():  # it was approved before
                # It opens networks' libraries, for which nobody else waits.
                from ..answers.joint.ending import erase_parts

                erase_parts(site, study)

    def _approved_drafts(self) -> set[str]:
        """Return the digests of the approved studies without their rosters."""
        drafts = set()
        for approval in self.home.approvals.glob("*.json"):
            with suppress(OSError, FedscanError):  # of a release that knew no joint sums
                content = (self.home.invitations / approval.name).read_bytes()
                drafts.add(without_roster(Invitation.from_json(content).request).study())
        return drafts

    def _path(self, study: str) -> Path:
        return self.home.declines / f"{study}.json"


def _roster(invitation: Invitation) -> Roster | None:
    """Return a study's roster, if it has one that anything can have been made for."""
    try:
        return Roster.from_text(invitation.terms.get(ROSTER, ""))
    except FedscanError:
        return None


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
    return _decline(Invitation.from_json(invitation), text, time)


def _decline(invitation: Invitation, reason: str, time: str) -> Decline:
    return Decline(
        study=invitation.digest,
        name=invitation.name,
        reason=reason,
        time=time,
        invitation=invitation,
    )
