"""Which studies the data steward has approved, and which ones wait for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from ...common.files import write_atomically
from ...errors import ConfigurationError, FedscanError, NotApprovedError
from ...federation.invitation import Invitation
from .declines import Declines
from .home import SiteHome
from .policy_log import note_policies

#: Studies that may wait at once: whoever may ask could otherwise fill the disk.
_MOST_PENDING = 50
_HINT = "`fedscan site approve` lists the studies that wait, and shows what each would do."


@dataclass(frozen=True, kw_only=True)
class Approval:
    """The steward's word that a study may train on a data set.

    Attributes:
        study: Digest of the study: of its rounds, base and all its terms.
        name: What the coordinator calls it.
        data: Name of the data set.
        base: Folder of the generator it starts from; empty for the site's own.
        time: When it was approved, UTC.
    """

    study: str
    name: str
    data: str
    base: str = ""
    time: str = ""


@dataclass(frozen=True)
class Approvals:
    """The folders ``approvals`` and ``pending``.

    Attributes:
        home: The site's home.
    """

    home: SiteHome

    def approve(self, invitation: Invitation, data: str, base: str = "") -> Approval:
        """Put an approval on record, in the audit log first.

        Raises:
            AuditError: If the disk does not take it.
            ConfigurationError: If a policy cannot be read.
        """
        approval = Approval(
            study=invitation.digest,
            name=invitation.name,
            data=data,
            base=base,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        note_policies(self.home)
        self.home.log.append("study-approved", study=approval.study, data=data)
        content = json.dumps(asdict(approval), indent=2).encode() + b"\n"
        write_atomically(self.home.invitations / f"{approval.study}.json", invitation.to_json())
        write_atomically(self.home.approvals / f"{approval.study}.json", content)
        (self.home.pending / f"{approval.study}.json").unlink(missing_ok=True)
        Declines(self.home).forget(approval.study)
        return approval

    def withdraw(self, study: str) -> None:
        """Take an approval back; what was spent stays spent.

        Raises:
            NotApprovedError: If there is none.
        """
        self.require(study)
        self.home.log.append("approval-withdrawn", study=study)
        (self.home.approvals / f"{study}.json").unlink()

    def require(self, study: str) -> Approval:
        """Return the approval of a study.

        Raises:
            ConfigurationError: If its file is damaged.
            NotApprovedError: If the study is not approved.
        """
        path = self.home.approvals / f"{study}.json"
        try:
            approval = Approval(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            raise NotApprovedError(
                f"The study {study[:12]} is not approved at this site.", hint=_HINT
            ) from None
        except (ValueError, TypeError):
            approval = None
        if approval is None or approval.study != study:
            raise ConfigurationError(
                f"The approval {path.name} is damaged.", hint="Approve the study again."
            )
        return approval

    def all(self) -> list[Approval]:
        """Return all approvals, the oldest first."""
        approvals = [self.require(path.stem) for path in self.home.approvals.glob("*.json")]
        return sorted(approvals, key=lambda approval: (approval.time, approval.study))

    def remember(self, invitation: Invitation) -> None:
        """Keep a study that asked, so that the steward can look at it, unless it was declined."""
        if Declines(self.home).has(invitation.digest):
            return
        path = self.home.pending / f"{invitation.digest}.json"
        waiting = sum(1 for _ in self.home.pending.glob("*.json"))
        if not path.exists() and waiting < _MOST_PENDING:
            write_atomically(path, invitation.to_json())

    def approved_invitation(self, study: str) -> Invitation:
        """Return what was approved.

        Raises:
            NotApprovedError: If an earlier release approved it, which did not keep it.
            ProtocolError: If the file is damaged or of another release.
        """
        try:
            content = (self.home.invitations / f"{study}.json").read_bytes()
        except FileNotFoundError:
            raise NotApprovedError(
                f"What the study {study[:12]} is about was not kept here.",
                hint="Approve the coordinator's file STUDY.invitation.json again: that keeps it.",
            ) from None
        return Invitation.from_json(content)

    def approved_invitations(self) -> Iterator[tuple[Approval, Invitation | None]]:
        """Yield each approval, the oldest first, and what it is about.

        In place of an invitation that was not kept or cannot be read comes ``None``.

        Raises:
            ConfigurationError: If an approval is damaged.
        """
        for approval in self.all():
            invitation = None
            with suppress(OSError, FedscanError):  # of a release that kept none, or wrote another
                invitation = self.approved_invitation(approval.study)
            yield approval, invitation

    def take_in(self, content: bytes) -> Invitation:
        """Let a study wait whose invitation came as a file, also one that was declined.

        Args:
            content: The invitation's file.

        Raises:
            ProtocolError: If it is no invitation.
        """
        invitation = Invitation.from_json(content)
        write_atomically(self.home.pending / f"{invitation.digest}.json", invitation.to_json())
        return invitation

    def known(self) -> dict[str, Invitation]:
        """Return the studies that can be approved, by digest: those that wait or were declined.

        Raises:
            ConfigurationError: If the file of a declined study is damaged.
            ProtocolError: If a file is damaged or of another release.
        """
        declines = (one.invitation for one in Declines(self.home).all())
        return {one.digest: one for one in (*declines, *self.pending())}

    def pending(self) -> list[Invitation]:
        """Return the studies that wait.

        Raises:
            ProtocolError: If a file is damaged or of another release.
        """
        files = sorted(self.home.pending.glob("*.json"))
        return [Invitation.from_json(path.read_bytes()) for path in files]
