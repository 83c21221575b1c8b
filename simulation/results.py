"""Everything a simulation found, in the form that is stored and reported."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from .. import __version__
from ..client.site import Site
from ..client.workspace.opened import open_generator
from ..common.files import write_atomically
from ..config.study import Study, study_digest
from ..evaluation.measures.results import EvaluationResult
from ..evaluation.report.build import write_report
from ..evaluation.report.results import (
    GeneratorInfo,
    RoundStep,
    RunResults,
    SiteReport,
    SiteRound,
)
from ..evaluation.results import FILE as EXAMINATION
from ..evaluation.results import read_examination
from ..model.integrity.movement import share_moved
from ..model.storage import generator_digest
from ..privacy.signal import signal_in_cosines
from ..server.begun import begun
from ..server.event_log import EventLog
from ..server.history import History, HistoryEntry
from ..server.job import EVENTS, HISTORY, WARM_UP
from ..server.joint.roster import roster_text
from ..server.progress.rounds import round_progress
from ..server.terms import study_at_site
from ..server.warm_up import groups_used
from .indexing import SiteSummary
from .spending import epsilon_by_round, site_privacy


def report_run(
    study: Study,
    sites: Sequence[Site],
    summaries: Sequence[SiteSummary],
    out: Path,
    *,
    base: Path,
    generator: Path,
    evaluation: EvaluationResult | None,
    expected_signal: float | None,
) -> tuple[RunResults, Path]:
    """Write ``results.json`` and ``report.html`` of a run whose training is finished.

    Args:
        study: The study.
        sites: Its sites.
        summaries: What each of them has.
        out: Folder of the run.
        base: Folder of the generator that it started from.
        generator: Folder of the trained one.
        evaluation: What was measured, if anything was; its pictures are in ``out``.
        expected_signal: Signal over noise that was planned with, of a private study.

    Returns:
        The results, and the report's file.

    Raises:
        DataError: If a picture, or an earlier examination of the generator, cannot be read.
    """
    run = out / "run"
    results = _run_results(
        study,
        sites,
        summaries,
        History(run / HISTORY).entries(),
        evaluation,
        expected_signal=expected_signal,
        base=begun(run, study, base).base,
        warm_up_groups=groups_used(run / WARM_UP),
        movement=share_moved(base, generator),
        roster=roster_text(run),
        events=EventLog(run / EVENTS).entries(),
    )
    write_atomically(out / "results.json", json.dumps(results.to_dict(), indent=2).encode())
    report = write_report(
        results,
        out / "report.html",
        gallery=out / "gallery" if evaluation else None,
        examination=_examined(out, generator),
    )
    return results, report


def _examined(out: Path, generator: Path) -> Path | None:
    """Folder of an earlier examination of this very generator, to stay in the report."""
    folder = out / "examination"
    if not (folder / EXAMINATION).is_file():
        return None
    return folder if read_examination(folder).generator == generator_digest(generator) else None


def _run_results(
    study: Study,
    sites: Sequence[Site],
    summaries: Sequence[SiteSummary],
    history: Sequence[HistoryEntry],
    evaluation: EvaluationResult | None,
    *,
    base: str,
    expected_signal: float | None,
    warm_up_groups: int | None,
    movement: float | None,
    roster: str,
    events: Sequence[Mapping[str, Any]],
) -> RunResults:
    """Put together what ``results.json`` holds.

    Args:
        study: The study.
        sites: Its sites.
        summaries: What each of them has.
        history: Each site's part in each round.
        evaluation: What was measured, if anything was.
        base: Digest of the generator that it started from.
        expected_signal: Signal over noise that was planned with, of a private study.
        warm_up_groups: Groups that the warm-up used, if there was one.
        movement: How far the training moved the U-Net's weights, as a share of their length.
        roster: A joint study's roster.
        events: Of the run's event log: what each round did to the model.
    """
    by_name = {summary.site: summary for summary in summaries}
    private = study.privacy.enabled
    known_as = study_at_site(study, base, roster)
    epsilons = {site.name: epsilon_by_round(site, known_as) if private else {} for site in sites}
    return RunResults(
        fedscan=__version__,
        name=study.name,
        study_digest=study_digest(study),
        private=private,
        seconds=_training_seconds(history),
        generator=_generator_info(study, sites[0], movement),
        sites=tuple(_site_report(site, by_name[site.name], study) for site in sites),
        rounds=tuple(
            SiteRound(
                round=entry.round,
                site=entry.site,
                code=entry.code,
                update_norm=entry.update_norm,
                cosine=entry.cosine,
                seconds=entry.seconds,
                epsilon=epsilons.get(entry.site, {}).get(entry.round),
                bytes_sent=entry.bytes_sent,
                bytes_received=entry.bytes_received,
            )
            for entry in history
        ),
        settings=_settings(study),
        warm_up_groups=warm_up_groups,
        evaluation=evaluation,
        expected_signal=expected_signal,
        measured_signal=_measured_signal(history) if private else None,
        steps=tuple(
            RoundStep(
                round=one.round,
                loss_before=one.loss_before,
                loss=one.loss,
                worse=one.is_worse,
                movement=one.movement,
                step=one.step,
                far=one.moves_far,
            )
            for one in round_progress(events)
        ),
        image=_last_image(events),
    )


def _last_image(events: Sequence[Mapping[str, Any]]) -> str:
    """Digest of what the saved generator draws; empty where it was not drawn."""
    images = [str(one.get("image", "")) for one in events if one["event"] == "GeneratorSaved"]
    return images[-1] if images else ""


def _measured_signal(history: Sequence[HistoryEntry]) -> float | None:
    """Signal over noise of all rounds, by how sites agree; ``None`` where that cannot be told.

    Rounds have signals that point the same way and noises that do not: the mean of their ratios
    times the root of their number.
    """
    cosines: dict[int, list[float]] = {}
    for entry in history:
        if entry.code == "ok" and entry.cosine:
            cosines.setdefault(entry.round, []).append(entry.cosine)
    ratios = [signal_in_cosines(each) for each in cosines.values() if len(each) > 1]
    if not ratios or not all(map(math.isfinite, ratios)):
        return None
    return sum(ratios) / len(ratios) * math.sqrt(len(ratios))


def _training_seconds(history: Sequence[HistoryEntry]) -> float:
    """Sum the rounds, each as long as its slowest site: right also where a run was resumed."""
    longest: dict[int, float] = {}
    for entry in history:
        longest[entry.round] = max(entry.seconds, longest.get(entry.round, 0.0))
    return sum(longest.values())


def _generator_info(study: Study, site: Site, movement: float | None) -> GeneratorInfo:
    base_model = open_generator(
        site.base, study.trainable, site.device, image_size=study.data.image_size
    )
    return GeneratorInfo(
        size=study.generator.size,
        image_size=base_model.generator.image_size,
        parameters=sum(value.numel() for value in base_model.generator.parameters()),
        trained_parameters=sum(value.numel() for value in base_model.parameters.values()),
        trained_subset=study.trainable.subset,
        trained_reason=study.outlook.reason,
        base=f"{site.base.name} {base_model.digest[:12]}",
        movement=movement,
    )


def _site_report(site: Site, summary: SiteSummary, study: Study) -> SiteReport:
    privacy = study.privacy
    return SiteReport(
        name=site.name,
        train_patients=summary.train_patients,
        holdout_patients=summary.patients - summary.train_patients,
        images=summary.examples,
        set_aside=dict(summary.set_aside),
        privacy=site_privacy(site, privacy) if privacy.enabled else None,
    )


def _settings(study: Study) -> dict[str, dict[str, Any]]:
    """Return all settings by section; those outside any section as section "study"."""
    adapter: TypeAdapter[Any] = TypeAdapter(Study)
    values: Mapping[str, Any] = adapter.dump_python(study, mode="json")
    single = {key: value for key, value in values.items() if not isinstance(value, dict)}
    sections = {
        name: {key: _plain(value) for key, value in section.items()}
        for name, section in values.items()
        if isinstance(section, dict)
    }
    return {"study": single, **sections}


def _plain(value: Any) -> Any:
    """Write a list of tables, as a vocabulary has them, as a list of texts."""
    if not isinstance(value, list):
        return value
    return [
        ", ".join(f"{key} = {item}" for key, item in one.items() if item)
        if isinstance(one, dict)
        else one
        for one in value
    ]
