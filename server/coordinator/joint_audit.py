"""What a joint study adds to the coordinator's audit log, and to the invitation of its sites."""

from __future__ import annotations

from dataclasses import replace

from ...common.audit.log import AuditLog
from ...common.files import write_atomically
from ...federation.invitation import Invitation
from ...federation.joint.roster import ROSTER
from ..events import Event
from ..joint.events import (
    AttemptLost,
    CulpritsFound,
    EndTold,
    KeyReceived,
    KeysAsked,
    KeysErased,
    PartReady,
    PartReceived,
    RosterMade,
    SitesSuspected,
    SumSettled,
)
from ..joint.roster import roster_text
from .studies import StudyFolder


def note_joint(audit: AuditLog, study: str, event: Event) -> None:
    """Put on record what happened in a joint study.

    Args:
        audit: The coordinator's audit log.
        study: The study's name.
        event: What happened; anything else is left out.
    """
    match event:
        case KeysAsked():
            audit.append("keys-asked", study=study, sites=event.sites, request=event.request)
        case KeyReceived():
            audit.append("key-received", study=study, site=event.site, code=event.code)
        case EndTold():
            audit.append("study-end-told", study=study, sites=event.sites, request=event.request)
        case KeysErased():
            audit.append("keys-erased", study=study, site=event.site, code=event.code)
        case RosterMade():
            audit.append(
                "roster-made",
                study=study,
                sites=list(event.sites),
                roster=event.digest,
                words=event.words,
            )
        case PartReady() | PartReceived():
            what = "part-ready" if isinstance(event, PartReady) else "part-received"
            audit.append(
                what,
                study=study,
                round=event.round,
                attempt=event.attempt,
                site=event.site,
                code=event.code,
            )
        case SumSettled():
            audit.append(
                "sum-settled",
                study=study,
                round=event.round,
                attempt=event.attempt,
                sites=list(event.sites),
            )
        case AttemptLost():
            audit.append(
                "attempt-lost",
                study=study,
                round=event.round,
                attempt=event.attempt,
                reason=event.reason,
            )
        case SitesSuspected() | CulpritsFound():
            what = "sites-suspected" if isinstance(event, SitesSuspected) else "site-left-out"
            audit.append(
                what,
                study=study,
                round=event.round,
                attempt=event.attempt,
                sites=list(event.sites),
                reason=event.reason,
            )


def keep_roster(folder: StudyFolder) -> None:
    """Write the invitation anew with the study's roster: only then is it what sites approve."""
    invitation = Invitation.from_json(folder.invitation.read_bytes())
    terms = {**invitation.terms, ROSTER: roster_text(folder.job.run)}
    write_atomically(folder.invitation, replace(invitation, terms=terms).to_json())
