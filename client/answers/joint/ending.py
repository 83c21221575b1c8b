"""The end of a joint study at a site: its keys are erased, and what they protected with them.

What other sites or the coordinator kept of a study says nothing without one site's keys. They are
worth stealing for as long as they exist, so they go when no sum can be asked for again: the study's
private keys, the secrets of its pairs, its parts without masks, and the secrets of its steps. A
mark stays, so that the same study never gets keys again.

Whoever may ask for this can only end a study, for which a coordinator needs no site.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np

from ....common.files import write_once
from ....federation.joint.pairs import secrets_file
from ....federation.joint.roster import Roster
from ....federation.protocol import READY, RoundReply, Tensors
from ....privacy.ledger.durable import erase_file
from ....privacy.ledger.journal import LINES
from ....privacy.ledger.view import LedgerView
from ...policy import load_policy
from ...site import Site
from ...workspace.participation import data_set_ledger
from ..asked import Asked
from ..release import Release
from .pairs import end_file, key_file
from .store import SumStore


def run_end(question: Asked) -> RoundReply:
    """Erase what a study's sums were made with, and say so; a second time it is as well.

    Raises:
        LedgerError: If the ledger cannot be used; keys and parts are erased then, too.
        RosterError: If the study sums nothing jointly.
    """
    request, site = question.request, question.site
    if erase_study(site, question.terms.require_roster(), request.study()):
        question.announce("keys-erased", study=request.study(), by="coordinator")
    return RoundReply(
        site=site.name,
        request=request.digest(),
        weight=load_policy(site.policy).weight or 1.0,
        tensors=_yes(),
    )


def end_release(question: Asked) -> Release:
    """Return what may be answered: a plain yes."""
    return Release.of_public(_yes(), paid=False)


def erase_study(site: Site, roster: Roster, study: str) -> bool:
    """Erase a study's keys, the secrets of its pairs and steps, and its parts without masks.

    Args:
        site: The site, with the data set that was approved for the study.
        roster: The study's roster.
        study: Digest of the study.

    Returns:
        Whether there was anything of it.

    Raises:
        LedgerError: If the ledger cannot be used; all else is erased then.
    """
    keys = site.study_keys
    files = [key_file(keys, roster.study), secrets_file(keys / "pairs", roster.digest)]
    present = [path for path in files if path.exists()]
    mark = end_file(keys, roster.study)
    is_new = not mark.exists()
    if is_new:
        # Before all else: from now on nothing is begun, opened or made again.
        content = {"study": study, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_once(mark, json.dumps(content).encode())
    for path in present:
        erase_file(path)
    SumStore(site.sums(study)).erase()
    _erase_secrets(site, study)
    return is_new or bool(present)


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
