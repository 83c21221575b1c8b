"""A steward ends a joint study here: its keys are erased, as at the coordinator's word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..federation.joint.roster import ROSTER, without_roster
from .answers.joint.pairs import key_file, when_erased
from .site import study_keys
from .steward.approvals import Approvals
from .steward.data_sets import Registry, site_with_data_set
from .steward.home import SiteHome
from .terms import StudyTerms


@dataclass(frozen=True, kw_only=True)
class JointStudyView:
    """A study of joint sums that was approved here.

    Attributes:
        name: What the coordinator calls it.
        study: Its digest.
        has_keys: Whether its keys are here.
        keys_erased: When they were erased, UTC; empty while they are kept, or where they are lost.
    """

    name: str
    study: str
    has_keys: bool
    keys_erased: str


def end_study(home: SiteHome, study: str) -> bool:
    """Erase the keys of a study whose coordinator does not say that it is over.

    Args:
        home: The site's home.
        study: Digest of the study.

    Returns:
        Whether there was anything to erase.

    Raises:
        DataError: If its data set is not known.
        LedgerError: If the ledger cannot be used; keys and parts are erased then, too.
        NotApprovedError: If it was never approved here.
        RosterError: If it sums nothing jointly: such a study has no keys.
    """
    # It opens networks' libraries, for which nobody who looks at a site waits.
    from .answers.joint.ending import erase_study

    approvals = Approvals(home)
    approval = approvals.require(study)
    roster = StudyTerms.from_request(approvals.approved_invitation(study).request).require_roster()
    site = site_with_data_set(home, Registry(home).get(approval.data), approval.base)
    return erase_study(
        site,
        roster,
        study,
        on_erased=lambda: home.log.append("keys-erased", study=study, by="steward"),
    )


def joint_studies(home: SiteHome) -> Iterator[JointStudyView]:
    """Yield the approved studies of joint sums, and whether their keys are still here."""
    keys = study_keys(home.folder)
    for approval, invitation in Approvals(home).approved_invitations():
        # A release that kept no invitations knew no joint sums.
        if invitation is not None and ROSTER in invitation.terms:
            draft = without_roster(invitation.request).study()
            yield JointStudyView(
                name=approval.name,
                study=approval.study,
                has_keys=key_file(keys, draft).exists(),
                keys_erased=when_erased(keys, draft),
            )
