"""A study as its folder shows it at one moment: plain values for the page.

Only files are read, so the dashboard can run, stop and start beside the study without touching
it, and shows a study that ended long ago just as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from ...config.study import Study, load_study
from ...errors import ConfigurationError
from ...privacy.settings import PrivacySettings
from ..coordinator.scores import scored_rounds
from ..event_log import EventLog, awaited
from ..history import History, HistoryEntry
from ..job import EVENTS, HISTORY, PREVIEWS
from ..meanings import MEANINGS
from ..previews import preview_rounds
from ..progress.rounds import RoundProgress, round_progress
from .order import checked

_SHOWN_EVENTS = 200

#: With these codes a site has refused before it paid for the round.
UNPAID = frozenset(
    {
        "budget-exceeded",
        "configuration",
        "data",
        "model",
        "not-approved",
        "paused",
        "privacy",
        "start-needed",
    }
)


@dataclass(frozen=True)
class WatchedStudy:
    """Folder of one study: ``study.toml`` and ``run/``.

    Attributes:
        path: The folder.
    """

    path: Path

    def study(self) -> Study:
        """Read the study.

        Raises:
            ConfigurationError: If the folder holds none.
        """
        file = self.path / "study.toml"
        if not file.is_file():
            raise ConfigurationError(
                f"{self.path} holds no study.toml.",
                hint="Give the folder of a study: of the coordinator, or what `fedscan simulate` "
                "wrote to --out.",
            )
        return load_study(file)

    @property
    def run(self) -> Path:
        """Folder of the run, which appears when the study starts."""
        return self.path / "run"

    @property
    def previews(self) -> Path:
        """Folder of sample images."""
        return self.run / PREVIEWS


def snapshot(
    folder: WatchedStudy, epsilons: Sequence[tuple[float, float]] | None
) -> dict[str, Any]:
    """Return everything that the page shows; a number that is not finite is ``None``.

    Args:
        folder: The study.
        epsilons: Both epsilons that the terms imply after each number of rounds that a site was
            paid for, from 0; ``None`` while unknown or without privacy.
    """
    study = folder.study()
    entries = History(folder.run / HISTORY).entries()
    events = EventLog(folder.run / EVENTS).entries()
    steps = {one["round"]: one for one in events if one["event"] == "RoundFinished"}
    progress = {one.round: one for one in round_progress(events)}
    values = {
        "study": _study(study),
        "status": checked(_status(events, study.federation.rounds), folder.path),
        "sites": _sites(entries, events, epsilons),
        "rounds": [
            _round(number, [entry for entry in entries if entry.round == number], steps)
            | _progress(progress.get(number))
            for number in sorted({entry.round for entry in entries})
        ],
        "scores": [asdict(one) for one in scored_rounds(folder.run)],
        "previews": preview_rounds(folder.previews),
        "prompts": list(study.evaluation.preview_prompts),
        "events": events[-_SHOWN_EVENTS:],
        "meanings": dict(MEANINGS),
    }
    # JSON has no others, and a page would draw nothing at all.
    plain: dict[str, Any] = to_jsonable_python(values, inf_nan_mode="null")
    return plain


def _progress(one: RoundProgress | None) -> dict[str, Any]:
    if one is None:
        return {"loss": None, "worse": False, "movement": None, "far": False}
    return {"loss": one.loss, "worse": one.is_worse, "movement": one.movement, "far": one.moves_far}


def _study(study: Study) -> dict[str, Any]:
    return {
        "name": study.name,
        "rounds": study.federation.rounds,
        "needed": study.federation.min_results,
        "subset": study.trainable.subset,
        "reason": study.outlook.reason,
        "form": study.federation.wire,
        "strategy": study.federation.strategy,
        "private": study.privacy.enabled,
        "epsilon": study.privacy.epsilon,
        "delta": study.privacy.delta,
        "joint": _joint(study.privacy),
    }


def _joint(privacy: PrivacySettings) -> dict[str, Any] | None:
    if not privacy.enabled or privacy.sum == "local":
        return None
    return {
        "sites": privacy.min_sites,
        "colluding": privacy.most_colluding,
        "epsilon": privacy.collusion_epsilon,
    }


def _status(events: Sequence[Mapping[str, Any]], rounds: int) -> dict[str, Any]:
    """Say where the study stands, as its last telling event has it."""
    last_round = max((one["round"] for one in events if one["event"] == "RoundFinished"), default=0)
    status = {"state": "waiting", "done": last_round, "reason": "", "since": None}
    if waits := awaited(events):
        sites = (f"{site} ({MEANINGS.get(code, code)})" for site, code in waits[1].items())
        since = events[-1].get("time")
        return status | {"state": "awaiting", "reason": ", ".join(sites), "since": since}
    for event in reversed(events):
        kind = event["event"]
        status["since"] = status["since"] or event.get("time")
        if kind == "StudyStopped":
            return status | {"state": "stopped", "reason": event["reason"]}
        if kind == "GeneratorSaved":
            return status | {"state": "finished", "done": rounds}
        if kind in ("RoundStarted", "SiteFinished", "RoundFinished", "SitesConnected"):
            return status | {"state": "training"}
        if kind in ("StatisticsReceived", "WarmedUp"):
            return status | {"state": "warming up"}
    return status


def _sites(
    entries: Sequence[HistoryEntry],
    events: Sequence[Mapping[str, Any]],
    epsilons: Sequence[tuple[float, float]] | None,
) -> list[dict[str, Any]]:
    """Return one row per site: its newest answer, also within a round that is still going on."""
    newest = {one["site"]: one for one in events if one["event"] == "SiteFinished"}
    waits = awaited(events)
    awaits = waits[1] if waits else {}
    rows = []
    for name in sorted({entry.site for entry in entries} | set(newest)):
        own = [entry for entry in entries if entry.site == name]
        answers = [entry for entry in own if entry.code == "ok"]
        last = newest.get(name)
        code = last["code"] if last else own[-1].code
        payments = sum(entry.code not in UNPAID for entry in own)
        if last and last["round"] > max((entry.round for entry in own), default=0):
            payments += code not in UNPAID
        rows.append(
            {
                "name": name,
                "code": awaits.get(name, code),
                "round": last["round"] if last else own[-1].round,
                "seconds": last["seconds"] if last else own[-1].seconds,
                "answered": len(answers),
                "asked": len(own),
                "norm": answers[-1].update_norm if answers else None,
                "cosine": answers[-1].cosine if answers else None,
                "noise": _noise_line(entries, answers[-1].round) if answers else None,
                "sent": sum(entry.bytes_sent for entry in own),
                "received": sum(entry.bytes_received for entry in own),
                **_implied(epsilons, payments),
            }
        )
    return rows


def _implied(
    epsilons: Sequence[tuple[float, float]] | None, payments: int
) -> dict[str, float | None]:
    both = epsilons[min(payments, len(epsilons) - 1)] if epsilons else (None, None)
    return dict(zip(("epsilon", "collusion_epsilon"), both, strict=True))


def _noise_line(entries: Sequence[HistoryEntry], number: int) -> float:
    """Return the cosine that an update of pure noise has with the mean of a round's updates.

    Independent directions of equal length in many dimensions are at right angles. Each has the
    cosine 1/√n with the mean of all n.
    """
    answers = sum(entry.code == "ok" for entry in entries if entry.round == number)
    return 1 / math.sqrt(answers)


def _round(
    number: int, entries: Sequence[HistoryEntry], steps: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    step = steps.get(number)
    return {
        "round": number,
        "codes": {entry.site: entry.code for entry in entries},
        "norms": {entry.site: entry.update_norm for entry in entries if entry.code == "ok"},
        "results": sum(entry.code == "ok" for entry in entries),
        "step": step["update_norm"] if step else None,
        "seconds": step["seconds"] if step else None,
        "sent": sum(entry.bytes_sent for entry in entries),
        "received": sum(entry.bytes_received for entry in entries),
    }
