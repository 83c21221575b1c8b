"""Making a joint study's roster: every site gives its keys, before any steward approves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flwr.serverapp import Grid

from ...common.files import write_atomically
from ...config.federation import FederationSettings
from ...config.study import Study
from ...errors import CheckpointError, FedscanError, UpdateRejectedError
from ...federation.joint.keys import PublicStudyKey
from ...federation.joint.roster import Roster
from ...federation.protocol import KEY, STUDY_KEY, RoundReply, RoundRequest
from ...privacy.joint.plan import plan_joint
from ..before_rounds import Question, ask_until_enough
from ..events import Observer
from ..job import ROSTER
from .events import KeyReceived, KeysAsked


def needed_sites(study: Study) -> FederationSettings:
    """Return the federation's settings with as many results as a joint sum needs."""
    federation = study.federation
    most = max(federation.min_results, study.privacy.min_sites)
    return replace(federation, min_results=most)


def make_roster(
    run: Path,
    study: Study,
    draft: RoundRequest,
    grid: Grid,
    connect: Callable[[], list[int]],
    observe: Observer,
) -> Roster:
    """Ask the connected sites for keys and make the roster, or read the one that was made.

    Args:
        run: The run's folder, which keeps it.
        study: The study.
        draft: Round 0 of the study, without a roster.
        grid: Flower's grid.
        connect: Waits for the sites and returns their nodes.
        observe: Told who answered.

    Raises:
        CheckpointError: If the kept roster is damaged.
        RoundFailedError: If too few sites gave a key.
    """
    path = run / ROSTER
    if text := roster_text(run):
        try:
            return Roster.from_text(text)
        except FedscanError as error:
            raise CheckpointError(
                f"The roster in {path} is damaged: {error.message}",
                hint="Restore it from a backup. With another one it is another study.",
            ) from error
    question = Question(
        kind=STUDY_KEY,
        usable="gave their keys",
        parse=lambda reply: _key(reply, draft),
        question_event=lambda sites: KeysAsked(sites=sites, request=draft.digest()),
        answer_event=lambda answer: KeyReceived(
            site=answer.site, code=answer.code, seconds=answer.seconds
        ),
        too_few="Without them there is no roster to approve.",
    )
    keys = ask_until_enough(grid, connect, draft, needed_sites(study), question, observe)
    privacy = study.privacy
    plan = plan_joint(privacy, study.federation.rounds)
    roster = Roster(
        study=draft.study(),
        members=tuple(keys[site] for site in sorted(keys)),
        min_sites=privacy.min_sites,
        colluding_sites=privacy.most_colluding,
        minimum_share=plan.minimum_share,
        clip_norm=privacy.clip_norm,
        sample_rate=privacy.sample_rate,
        steps=study.federation.rounds + privacy.spare_attempts,
        spare_attempts=privacy.spare_attempts,
    )
    write_atomically(path, roster.to_text().encode())
    return roster


def roster_text(run: Path) -> str:
    """Return the roster of a run as the section of the terms that it is; empty without one."""
    path = run / ROSTER
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _key(reply: RoundReply, draft: RoundRequest) -> PublicStudyKey:
    if reply.request != draft.digest() or set(reply.tensors) != {KEY}:
        raise UpdateRejectedError(f"Site {reply.site!r} does not answer with its keys.")
    try:
        key = PublicStudyKey.from_dict(json.loads(reply.tensors[KEY].tobytes()))
    except ValueError:
        raise UpdateRejectedError(f"Site {reply.site!r} gives keys that cannot be read.") from None
    if (key.site, key.study) != (reply.site, draft.study()):
        raise UpdateRejectedError(f"Site {reply.site!r} gives keys of another site or study.")
    return key
