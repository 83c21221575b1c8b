"""The end of a joint study at a site: its keys are erased, and what they protected with them.

What other sites or the coordinator kept of a study says nothing without one site's keys. They are
worth stealing for as long as they exist, so they go when no sum can be asked for again: the study's
private keys, the secrets of its pairs, its parts without masks, and the secrets of its steps. A
mark stays, so that the same study never gets keys again.

Whoever may ask for this can only end a study, for which a coordinator needs no site.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....federation.joint.roster import Roster
from ....federation.protocol import READY, RoundReply, Tensors
from ....privacy.ledger.journal import LINES
from ....privacy.ledger.view import LedgerView
from ...policy import load_policy
from ...site import Site
from ...workspace.participation import data_set_ledger
from ..asked import Asked
from ..release import Release
from .erasing import erase_keys
from .store import SumStore


def run_end(question: Asked) -> RoundReply:
    """Erase what a study's sums were made with, and say so; a second time it is as well.

    Raises:
        LedgerError: If the ledger cannot be used; keys and parts are erased then, too.
        RosterError: If the study sums nothing jointly.
    """
    request, site = question.request, question.site
    study = request.study()
    erase_study(
        site,
        question.terms.require_roster(),
        study,
        on_erased=lambda: question.announce("keys-erased", study=study, by="coordinator"),
    )
    return RoundReply(
        site=site.name,
        request=request.digest(),
        weight=load_policy(site.policy).weight or 1.0,
        tensors=_yes(),
    )


def end_release(question: Asked) -> Release:
    """Return what may be answered: a plain yes."""
    return Release.of_public(_yes(), paid=False)


def erase_study(site: Site, roster: Roster, study: str, *, on_erased: Callable[[], object]) -> bool:
    """Erase a study's keys, the secrets of its pairs and steps, and its parts without masks.

    Args:
        site: The site, with the data set that was approved for the study.
        roster: The study's roster.
        study: Digest of the study.
        on_erased: Called once keys are erased, and before a ledger can fail: whoever looks for the
            keys must find on record where they went.

    Returns:
        Whether there were keys of it.

    Raises:
        LedgerError: If the ledger cannot be used; all else is erased then.
    """
    was_there = erase_keys(site.study_keys, roster.study, roster, study)
    if was_there:
        on_erased()
    erase_parts(site, study)
    return was_there


def erase_parts(site: Site, study: str) -> None:
    """Erase a study's parts without masks, and the secrets of its steps.

    Raises:
        LedgerError: If the ledger cannot be used; the parts are erased then.
    """
    SumStore(site.sums(study)).erase()
    _erase_secrets(site, study)


def _erase_secrets(site: Site, study: str) -> None:
    """Erase the secrets of a data set's steps, unless another study may still repeat its own."""
    if not (site.ledger / LINES).exists():
        return
    with data_set_ledger(site, load_policy(site.policy)) as ledger:
        steps = LedgerView.read(site.ledger).book.completed_before(len(ledger.entries()))
        if steps and all(step.record.study == study for step in steps):
            ledger.erase_secrets(max(step.sequence for step in steps) + 1)


def _yes() -> Tensors:
    return {READY: np.ones(1, np.float32)}
