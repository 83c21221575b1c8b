"""A steward declines a study: it does not wait any more, and keys that were made for it go."""

from __future__ import annotations

from datetime import UTC, datetime

from ..errors import ConfigurationError, FedscanError, NotApprovedError
from ..federation.invitation import Invitation
from ..federation.joint.roster import ROSTER, Roster, without_roster
from .answers.joint.erasing import erase_keys
from .answers.joint.pairs import key_file
from .site import study_keys
from .steward.approvals import Approvals
from .steward.data_sets import Registry, site_with_data_set
from .steward.declines import Decline, Declines
from .steward.home import SiteHome

#: More is a letter, and belongs elsewhere.
_LONGEST_REASON = 1000


def decline_study(home: SiteHome, invitation: Invitation, reason: str) -> Decline:
    """Put a no on record, in the audit log first; the study does not wait any more.

    What the coordinator gets is what every study gets that is not approved: a code. Keys that were
    made for a joint study are erased, and what they protected: such a study cannot be approved any
    more. Until they are, it still waits: who was interrupted declines it again.

    Args:
        home: The site's home.
        invitation: The study.
        reason: Why.

    Raises:
        AuditError: If the disk does not take it.
        ConfigurationError: If there is no reason, or it is a letter; or if the study has keys, and
            what another approved study is about cannot be read: it may go by the same ones.
        LedgerError: If parts of the study's sums were erased, and the secrets of its steps cannot
            be.
        NotApprovedError: If the study is approved: an approval is taken back instead.
    """
    text = " ".join(reason.split())
    if not text or len(text) > _LONGEST_REASON:
        raise ConfigurationError(
            f"A reason has 1 to {_LONGEST_REASON} characters, this one {len(text)}.",
            hint="Say in a sentence why the study is declined. It stays at this site.",
        )
    study = invitation.digest
    if (home.approvals / f"{study}.json").exists():
        raise NotApprovedError(
            f"The study {study[:12]} is approved.",
            hint=f"`fedscan site approve {study[:12]} --withdraw` takes the approval back.",
        )
    erases = _has_keys_of_its_own(home, invitation)
    decline = Decline(
        study=study,
        name=invitation.name,
        reason=text,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        invitation=invitation,
    )
    home.log.append("study-declined", study=study, reason=text)
    if erases:
        _erase(home, invitation)
    Declines(home).keep(decline)
    (home.pending / f"{study}.json").unlink(missing_ok=True)
    return decline


def _has_keys_of_its_own(home: SiteHome, invitation: Invitation) -> bool:
    """Return whether there are keys for a study that no approved study goes by.

    Raises:
        ConfigurationError: If what an approved study is about cannot be read.
    """
    draft = without_roster(invitation.request).study()
    if ROSTER not in invitation.terms and not key_file(study_keys(home.folder), draft).exists():
        return False
    approvals = list(Approvals(home).approved_invitations())
    if any(
        one is not None and without_roster(one.request).study() == draft for _, one in approvals
    ):
        return False
    for approval, one in approvals:
        if one is None:
            short = approval.study[:12]
            raise ConfigurationError(
                f"What the approved study {short} is about cannot be read, and it may go by the "
                "keys that would be erased.",
                hint="Approve the coordinator's file STUDY.invitation.json of that study again, or "
                f"take its approval back: `fedscan site approve {short} --withdraw`.",
            )
    return True


def _erase(home: SiteHome, invitation: Invitation) -> None:
    """Erase a joint study's keys, and what they protected."""
    study, draft = invitation.digest, without_roster(invitation.request).study()
    keys = study_keys(home.folder)
    if erase_keys(keys, draft, _roster(invitation), study):
        home.log.append("keys-erased", study=study, by="steward")
    for entry in Registry(home).data_sets().values():
        site = site_with_data_set(home, entry)
        if site.sums(study).exists():  # it was approved before
            # It opens networks' libraries, for which nobody else waits.
            from .answers.joint.ending import erase_parts

            erase_parts(site, study)


def _roster(invitation: Invitation) -> Roster | None:
    """Return a study's roster, if it has one that anything can have been made for."""
    try:
        return Roster.from_text(invitation.terms.get(ROSTER, ""))
    except FedscanError:
        return None
