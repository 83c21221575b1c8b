"""What a coordinator can say of itself, from its folder alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...errors import CheckpointError
from ...federation.supervision.service import is_running
from ..event_log import EventLog, awaited, refusals
from ..job import EVENTS, KEYS_ERASED, SEARCH
from ..joint.ending import kept_at
from ..joint.search import Search
from ..meanings import advice, described
from .home import Home
from .members import members
from .service import read_status
from .studies import StudyFolder, studies


@dataclass(frozen=True, kw_only=True)
class SiteView:
    """A member: its name, whether it is connected, and when its certificate expires."""

    site: str
    online: bool
    expires: str


@dataclass(frozen=True, kw_only=True)
class StudyView:
    """A study: what it does, its last finished round of how many, and what went wrong."""

    study: str
    phase: str
    round: int
    rounds: int
    message: str


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Everything that ``fedscan coordinator status`` shows.

    Attributes:
        address: Host and port that sites connect to.
        running: Whether the coordinator runs.
        ready: Whether sites can connect.
        message: What keeps it from being ready, and whom the SuperLink refuses, if it says so.
        processes: What it knows of its processes, by name.
        sites: The members.
        studies: The studies.
    """

    address: str
    running: bool
    ready: bool
    message: str
    processes: dict[str, Any]
    sites: list[SiteView]
    studies: list[StudyView]


def overview(home: Home) -> Overview:
    """Return what can be said of a coordinator, whether it runs or not."""
    running = is_running(home.run)
    status = read_status(home) if running else {}
    online, refusals = status.get("sites", {}), status.get("refused", {})
    return Overview(
        address=home.addresses.public,
        running=running,
        ready=bool(status.get("ready")),
        message=" ".join(
            [
                *filter(None, [str(status.get("message", ""))]),
                *(f"{what}: {message}" for what, message in sorted(refusals.items())),
            ]
        ),
        processes=status.get("processes", {}),
        sites=[
            SiteView(
                site=member.site,
                online=bool(online.get(member.site)),
                expires=member.expires[:10],
            )
            for member in members(home)
        ],
        studies=[
            StudyView(
                study=folder.name,
                phase=folder.phase,
                round=folder.finished_round,
                rounds=folder.study.federation.rounds,
                message=folder.state.message or _waits_and_refusals(folder),
            )
            for folder in studies(home)
        ],
    )


def _waits_and_refusals(folder: StudyFolder) -> str:
    """Say for whom the study's round waits, who gave nothing and why, or who keeps its keys."""
    if folder.phase == "finished" and (keepers := kept_at(folder.job.run / KEYS_ERASED)):
        names = ", ".join(f"{site} ({code})" for site, code in keepers.items())
        return f"Its keys are kept at {names}: `fedscan site end-study` there erases them."
    if folder.phase != "running":
        return ""
    events = EventLog(folder.job.run / EVENTS).entries()
    sentences = list(_suspicions(folder))
    if waiting := awaited(events):
        number, codes = waiting
        sites = ", ".join(f"{site} ({code})" for site, code in codes.items())
        sentences.append(f"{_stage(number)} waits for {sites}.")
    if newest := refusals(events):
        number, codes = newest
        sentences.append(
            f"{_stage(number)} goes without {described(codes)}. {advice(codes.values())}"
        )
    return " ".join(sentences).rstrip()


def _suspicions(folder: StudyFolder) -> Iterator[str]:
    """Say who may spoil a joint study's sums."""
    try:
        findings = Search(folder.job.run / SEARCH).findings
    except CheckpointError as error:
        yield str(error)
        return
    if findings.suspects:
        names = ", ".join(findings.suspects)
        yield f"One of {names} spoils the sums; they are opened for halves until it is found."
    if findings.culprits:
        names = ", ".join(findings.culprits)
        yield f"Asked no more, for every sum with them was wrong: {names}."


def _stage(number: int) -> str:
    return f"Round {number}" if number else "The warm-up"
