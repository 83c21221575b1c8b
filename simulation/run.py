"""A whole study on one machine: sites, federation, comparisons, evaluation and report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..client.site import Site
from ..common.files import write_atomically
from ..common.toml_settings import validated
from ..config.study import Study, study_to_toml
from ..errors import DataError
from ..evaluation.measures.results import EvaluationResult
from ..evaluation.report.results import RunResults
from ..model.outline import read_image_sizes
from ..model.storage import state_learnt
from ..phantoms.settings import PhantomSettings
from ..privacy.study_signal import NOISE_BELOW
from ..server.events import Observer, log_event
from ..server.fitting import require_fitting
from ..server.job import base_of
from .comparisons import Runner, train_comparisons
from .engine import Engine
from .events import (
    BudgetWasted,
    EvaluationSkipped,
    SiteIndexed,
    StageProgress,
    StageStarted,
    SubsetChosen,
)
from .indexing import SiteSummary, combinations_seen, index_sites
from .machine.devices import default_workers, on_devices, require_device
from .measure import measure
from .phantoms import phantom_hospitals
from .ray_engine import named_cluster
from .results import report_run
from .run_folder import only_process, require_own
from .sites import (
    find_sites,
    keep_labels,
    require_enough_sites,
    with_fitting_labels,
    write_policies,
)
from .study_plan import StudyPlan, plan_study
from .submitting import as_simulated


@dataclass(frozen=True, kw_only=True)
class SimulationResult:
    """What a simulation left behind.

    Attributes:
        generator: Folder of the trained generator.
        report: The report.
        results: Everything that was found, as in ``results.json``.
    """

    generator: Path
    report: Path
    results: RunResults


def simulate(
    study: Study,
    data: Path | None,
    out: Path,
    *,
    resume: bool = False,
    engine: Engine = "in-process",
    workers: int = 0,
    evaluate: bool = True,
    labels: Path | None = None,
    labels_by: str = "",
    device: str = "auto",
    ray_address: str = "",
    progress: Observer = log_event,
) -> SimulationResult:
    """Run a study from folders of DICOM to a report.

    ``out`` gets ``generator/``, ``run/`` (checkpoints, history), ``sites/`` (what each site
    keeps), ``comparisons/`` where asked for, ``study.toml``, ``results.json``, ``gallery/``
    and ``report.html``.

    Args:
        study: What to do.
        data: Folder whose subfolders are the sites' DICOM files; without one, phantom hospitals
            are written to ``out`` and learnt from.
        out: Folder for everything that is made.
        resume: Continue a run that was interrupted; a finished one is only evaluated again.
        engine: What carries messages between coordinator and sites.
        workers: Sites that compute at the same time; 0 for one per site and processor or GPU.
        evaluate: Whether to measure the generator and compare it.
        labels: Table of labels for all sites; a resumed run keeps its own.
        labels_by: What its rows are matched by.
        device: Where sites and coordinator compute: auto, cpu, cuda, cuda:N or mps. The sites take
            several GPUs by turns.
        ray_address: Ray cluster that the engine ``ray`` runs on, ``host:port`` or ``auto``; one of
            this machine by default. All its machines must see ``data`` and ``out``.
        progress: Told what happens.

    Raises:
        CheckpointError: If ``out`` holds a run and ``resume`` is off, or a run of another study.
        ConfigurationError: If study, base, sites and device do not fit together.
        DataError: If there are no sites or a site has no usable scans.
        RoundFailedError: If a round got too few usable results.

    >>> import fedscan
    >>> trained = fedscan.simulate(study, hospitals, out / "trained", workers=1, evaluate=False)
    >>> [site.name for site in trained.results.sites]
    ['hospital-a', 'hospital-b']
    """
    base = base_of(study)
    require_fitting(study, read_image_sizes(base))
    cluster = named_cluster(engine, ray_address, device)
    # The sites of a cluster have its GPUs, whether or not this machine has one for the rest.
    place = require_device(engine, "auto" if cluster and device == "cuda" else device)
    data = data or phantom_hospitals(
        out / "hospitals", _phantom_settings(study.seed, workers), progress=progress
    )
    sites = find_sites(
        data.resolve(), (out / "sites").resolve(), base, labels=labels, labels_by=labels_by
    )
    sites = on_devices(sites, place, workers)
    require_enough_sites(study, sites)
    with only_process(out):
        definite = as_simulated(study, sites, out)
        if study.trainable.subset == "auto" and definite.outlook.reason:
            progress(SubsetChosen(reason=definite.outlook.reason))
        study = definite
        runner = Runner(
            base=base,
            resume=resume,
            engine=engine,
            workers=workers or (len(sites) if cluster else default_workers(sites)),
            observe=progress,
            device=place,
            cluster=cluster,
        )
        return _simulate(runner, study, sites, data=data, out=out, evaluate=evaluate)


def _simulate(
    runner: Runner,
    study: Study,
    sites: list[Site],
    *,
    data: Path,
    out: Path,
    evaluate: bool,
) -> SimulationResult:
    base, progress = runner.base, runner.observe
    require_own(study, base, out, runner.resume)
    write_atomically(out / "study.toml", study_to_toml(study).encode())
    write_policies(sites, study)

    progress(StageStarted(stage="Reading the sites' scans"))
    summaries = index_sites(
        sites,
        study.data,
        study.trainable,
        study.vocabulary,
        workers=runner.workers,
        on_site=lambda summary: progress(_indexed(summary)),
    )
    sites = with_fitting_labels(sites, {one.site: one.labels for one in summaries})
    keep_labels(sites, (out / "sites").resolve())
    study_plan = _study_plan(study, summaries)
    if study_plan and study_plan.as_it_is.signal.ratio < NOISE_BELOW:
        progress(BudgetWasted(verdict=study_plan.verdict))
    progress(StageStarted(stage="Training"))
    generator = runner.run(study, sites, out, out / "study.toml")
    state_learnt(generator, combinations_seen(summaries))
    generators = {"base": base, "fedscan": generator}
    if evaluate:
        generators |= train_comparisons(
            runner, study, sites, summaries, data=data.resolve(), out=out, progress=progress
        )

    evaluation = None
    if evaluate:
        progress(StageStarted(stage="Evaluating"))
        evaluation = _evaluate(generators, sites, study, out, runner.device, progress)
    results, report = report_run(
        study,
        sites,
        summaries,
        out,
        base=base,
        generator=generator,
        evaluation=evaluation,
        expected_signal=study_plan.as_it_is.signal.ratio if study_plan else None,
    )
    return SimulationResult(generator=generator, report=report, results=results)


def _study_plan(study: Study, summaries: Sequence[SiteSummary]) -> StudyPlan | None:
    """What a private study will learn, by a typical agreement of gradients."""
    sites = [one.train_patients for one in summaries]
    if not study.privacy.enabled or min(sites) < 1:
        return None
    return plan_study(study, sites, measure=False)


def _phantom_settings(seed: int, workers: int) -> PhantomSettings:
    values = {"seed": seed, "workers": workers or os.cpu_count() or 1}
    return validated(PhantomSettings, values, "The simulation")


def _evaluate(
    generators: dict[str, Path],
    sites: Sequence[Site],
    study: Study,
    out: Path,
    device: str,
    progress: Observer,
) -> EvaluationResult | None:
    try:
        return measure(
            generators,
            sites,
            study,
            gallery=out / "gallery",
            device=device,
            progress=lambda stage, done, of: progress(StageProgress(stage=stage, share=done / of)),
        )
    except DataError as failure:
        # The generator is trained and paid for: it is reported even if it cannot be measured.
        progress(EvaluationSkipped(reason=str(failure)))
        return None


def _indexed(summary: SiteSummary) -> SiteIndexed:
    return SiteIndexed(
        site=summary.site,
        train_patients=summary.train_patients,
        holdout_patients=summary.patients - summary.train_patients,
        set_aside=summary.set_aside,
    )
