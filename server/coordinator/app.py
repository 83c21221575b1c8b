"""The coordinator's ServerApp as Flower starts it: one submitted study, up to its record."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from ...common.audit.log import AuditLog
from ...common.files import write_atomically
from ...common.locks import holding
from ...errors import ConfigurationError, FederationError, FedscanError
from ...federation.counter_signed import LedgerMark
from ...federation.protocol import INTERNAL, OK
from ..app import run_study
from ..begun import begun
from ..events import (
    CheckpointSkipped,
    CompositionAsked,
    CompositionReceived,
    Event,
    ReadinessAsked,
    ReadinessReceived,
    RoundFinished,
    RoundStarted,
    SiteFinished,
    SitesAwaited,
    StatisticsAsked,
    StatisticsReceived,
    log_event,
)
from ..joint.events import PartReady, PartReceived, RosterMade
from ..joint.roster import roster_text
from .asking_again import AskingAgain
from .counter_sign import counter_sign
from .home import DEVICE_VARIABLE, HOME_VARIABLE, Home
from .joint_audit import keep_roster, note_joint
from .reconcile import RUNNING
from .record import sign_record, study_record
from .resuming import keep_approved_base
from .studies import Outcome, StudyFolder, find_study

_log = logging.getLogger(__name__)

#: How long the server of an earlier run may take to end.
_PATIENCE_S = 60.0
_NOTED_WITHIN_S = 20.0

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the study that the run configuration names, in the folder that the environment names.

    Raises:
        ConfigurationError: If one of the two is missing.
        FederationError: If this run is not the study's current one.
        FedscanError: Whatever ends the study; the coordinator finds it on disk.
    """
    root = os.environ.get(HOME_VARIABLE)
    if not root:
        raise ConfigurationError(
            f"{HOME_VARIABLE} is not set.", hint="Start the study with `fedscan coordinator`."
        )
    home = Home(Path(root))
    folder = find_study(home, str(context.run_config["study"]))
    _log_to(folder.log)

    def busy(holder: str) -> FederationError:
        return FederationError(
            f"Another run works on the study {folder.name!r}.", hint=f"It is process {holder}."
        )

    with holding(folder.lock, _PATIENCE_S, busy):
        _require_current(folder, context.run_id)
        outcome = Outcome(run=context.run_id, code=RUNNING, pid=os.getpid())
        folder.write(outcome)
        try:
            _serve(grid, home, folder)
        except FedscanError as failure:
            _log.error("%s", failure)
            folder.write(replace(outcome, code=failure.code, message=str(failure)))
            raise
        except Exception:
            _log.exception("the study ended unexpectedly")
            message = f"It ended unexpectedly; see {folder.log}."
            folder.write(replace(outcome, code=INTERNAL, message=message))
            raise
        folder.write(replace(outcome, code=OK))


def _serve(grid: Grid, home: Home, folder: StudyFolder) -> None:
    audit = AuditLog(home.audit)
    job = replace(folder.job, device=os.environ.get(DEVICE_VARIABLE, "auto"))
    keep_approved_base(folder)

    def observe(event: Event) -> None:
        log_event(event)
        _note(audit, folder.name, event)
        note_joint(audit, folder.name, event)
        _counter_sign(home, event)
        if isinstance(event, RosterMade):
            keep_roster(folder)

    def note_repeat(node: int, kind: str) -> None:
        names = {one.node_id: one.name for one in grid.get_nodes()}
        site = names.get(node) or str(node)
        _log.warning("%s is asked again: a question (%s) or its answer was lost", site, kind)
        audit.append("asked-again", study=folder.name, site=site, what=kind)

    run_study(AskingAgain(grid, note_repeat), job, observe)
    record = study_record(
        folder.study,
        job,
        begun(job.run, folder.study, job.base).base,
        roster_text(job.run),
    )
    content = sign_record(record, home.record_key)
    write_atomically(folder.record, content)
    audit.append("study-recorded", study=folder.name, generator=record["generator"])


def _note(audit: AuditLog, study: str, event: Event) -> None:
    match event:
        case ReadinessAsked():
            audit.append("readiness-asked", study=study, sites=event.sites, request=event.request)
        case ReadinessReceived():
            audit.append("readiness-answered", study=study, site=event.site, code=event.code)
        case StatisticsAsked():
            audit.append("statistics-asked", study=study, sites=event.sites, request=event.request)
        case StatisticsReceived():
            audit.append("statistics-answered", study=study, site=event.site, code=event.code)
        case CompositionAsked():
            audit.append("composition-asked", study=study, sites=event.sites, request=event.request)
        case CompositionReceived():
            audit.append("composition-answered", study=study, site=event.site, code=event.code)
        case RoundStarted():
            audit.append(
                "round-asked",
                study=study,
                round=event.round,
                sites=event.sites,
                request=event.request,
            )
        case SiteFinished():
            audit.append(
                "round-answered", study=study, round=event.round, site=event.site, code=event.code
            )
        case RoundFinished():
            audit.append("round-finished", study=study, round=event.round, results=event.results)
        case SitesAwaited():
            audit.append("sites-awaited", study=study, round=event.round, sites=dict(event.sites))
        case CheckpointSkipped():
            audit.append("checkpoint-passed-over", study=study, checkpoint=event.name)


def _counter_sign(home: Home, event: Event) -> None:
    """Sign what an answer says of the ledger that paid for it."""
    match event:
        case (
            SiteFinished()
            | StatisticsReceived()
            | CompositionReceived()
            | PartReady()
            | PartReceived()
        ) if event.ledger:
            counter_sign(home, event.site, LedgerMark.parse(event.ledger))


def _require_current(folder: StudyFolder, run: int) -> None:
    """Leave if the coordinator does not know this run, or has started another since."""
    # The coordinator notes a run just after it has started it.
    deadline = time.monotonic() + _NOTED_WITHIN_S
    while (folder.state.run, folder.state.phase) != (run, "running"):
        if time.monotonic() > deadline:
            raise FederationError(f"The run is not the current one of study {folder.name!r}.")
        time.sleep(0.1)


def _log_to(path: Path) -> None:
    """Write fedscan's log to a file: Flower drops what a ServerApp prints."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("fedscan")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
