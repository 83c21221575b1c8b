"""A whole study on one machine: sites, federation, comparisons, evaluation and report."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..client.site import Site
from ..common.files import write_atomically
from ..config.study import Study, load_study, study_to_toml
from ..errors import CheckpointError, ConfigurationError, DataError
from ..evaluation.measures.results import EvaluationResult
from ..evaluation.report.build import write_report
from ..evaluation.report.results import RunResults
from ..evaluation.results import FILE as EXAMINATION
from ..evaluation.results import read_examination
from ..imaging.labels.fit import require_fitting
from ..model.storage import generator_digest, shipped_base
from ..server.events import Observer, log_event
from ..server.history import History
from ..server.job import HISTORY, WARM_UP, ServerJob
from ..server.terms import training_digest
from ..server.warm_up import groups_used
from .engine import Engine, run_federation
from .events import EvaluationSkipped, SiteIndexed, StageProgress, StageStarted
from .indexing import SiteSummary, index_sites
from .measure import measure
from .results import run_results
from .sites import find_sites, keep_labels, write_policies

#: Name of the private training on one site's data alone, among the comparisons.
SINGLE_SITE = "single-site"


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
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    engine: Engine = "in-process",
    workers: int = 0,
    evaluate: bool = True,
    labels: Path | None = None,
    labels_by: str = "",
    progress: Observer = log_event,
) -> SimulationResult:
    """Run a study from folders of DICOM to a report.

    ``out`` gets ``generator/``, ``run/`` (checkpoints, history), ``sites/`` (what each site
    keeps), ``comparisons/`` where asked for, ``study.toml``, ``results.json``, ``gallery/``
    and ``report.html``.

    Args:
        study: What to do.
        data: Folder whose subfolders are the sites' DICOM files.
        out: Folder for everything that is made.
        resume: Continue a run that was interrupted; a finished one is only evaluated again.
        engine: What carries messages between coordinator and sites.
        workers: Sites that compute at the same time; 0 for one per site and processor.
        evaluate: Whether to measure the generator and compare it.
        labels: Table that tells findings, splits and reports of the sites' images; see
            :func:`~fedscan.imaging.labels.table.read_table`. A resumed run keeps its own.
        labels_by: What its rows are matched by.
        progress: Told what happens.

    Raises:
        CheckpointError: If ``out`` holds a run and ``resume`` is off, or a run of another study.
        ConfigurationError: If study, base and sites do not fit together.
        DataError: If there are no sites or a site has no usable scans.
        RoundFailedError: If a round got too few usable results.

    >>> import fedscan
    >>> trained = fedscan.simulate(study, hospitals, out / "trained", workers=1, evaluate=False)
    >>> [site.name for site in trained.results.sites]
    ['hospital-a', 'hospital-b']
    """
    base = Path(study.generator.base).resolve() if study.generator.base else shipped_base()
    sites = find_sites(
        data.resolve(), (out / "sites").resolve(), base, labels=labels, labels_by=labels_by
    )
    _require_enough(study, sites)
    _require_own(study, base, out, resume)
    write_atomically(out / "study.toml", study_to_toml(study).encode())
    write_policies(sites, study)
    workers = workers or min(len(sites), os.cpu_count() or 1)

    progress(StageStarted(stage="Reading the sites' scans"))
    summaries = index_sites(
        sites,
        study.data,
        study.trainable,
        workers=workers,
        on_site=lambda summary: progress(_indexed(summary)),
    )
    sites = _with_fitting_labels(sites, summaries)
    keep_labels(sites, out / "sites")
    runner = _Runner(base=base, resume=resume, engine=engine, workers=workers, observe=progress)
    progress(StageStarted(stage="Training"))
    generator = runner.run(study, sites, out, out / "study.toml")
    generators = {"base": base, "fedscan": generator}
    comparisons = out / "comparisons"
    if evaluate and study.evaluation.non_private and study.privacy.enabled:
        progress(StageStarted(stage="Training without privacy", comparison=True))
        generators["non-private"] = runner.run(
            _without_privacy(study), sites, comparisons / "non-private"
        )
    if evaluate and study.evaluation.single_site:
        progress(StageStarted(stage="Training at a single site", comparison=True))
        largest = max(summaries, key=lambda summary: summary.train_patients).site
        alone = _site_alone(
            study, next(site for site in sites if site.name == largest), comparisons / SINGLE_SITE
        )
        generators[SINGLE_SITE] = runner.run(
            _of_one_site(study), [alone], comparisons / SINGLE_SITE
        )
    if evaluate and study.evaluation.pooled:
        progress(StageStarted(stage="Training on pooled data", comparison=True))
        pooled_site = _pooled(study, sites, data.resolve(), comparisons / "pooled")
        generators["pooled"] = runner.run(
            _of_one_site(_without_privacy(study)), [pooled_site], comparisons / "pooled"
        )

    evaluation = None
    if evaluate:
        progress(StageStarted(stage="Evaluating"))
        evaluation = _evaluate(generators, sites, study, out, progress)
    history = History(out / "run" / HISTORY).entries()
    results = run_results(
        study,
        sites,
        summaries,
        history,
        evaluation,
        warm_up_groups=groups_used(out / "run" / WARM_UP),
    )
    write_atomically(out / "results.json", json.dumps(results.to_dict(), indent=2).encode())
    report = write_report(
        results,
        out / "report.html",
        gallery=out / "gallery" if evaluation else None,
        examination=_examined(out, generator),
    )
    return SimulationResult(generator=generator, report=report, results=results)


@dataclass(frozen=True, kw_only=True)
class _Runner:
    """Runs federations that differ in study, sites and folder."""

    base: Path
    resume: bool
    engine: Engine
    workers: int
    observe: Observer

    def run(
        self, study: Study, sites: Sequence[Site], folder: Path, file: Path | None = None
    ) -> Path:
        """Run one study; return the folder of its generator."""
        if file is None:
            file = folder / "study.toml"
            write_atomically(file, study_to_toml(study).encode())
        job = ServerJob(
            study=file,
            base=self.base,
            run=folder / "run",
            generator=folder / "generator",
            resume=self.resume,
        )
        run_federation(job, sites, engine=self.engine, workers=self.workers, observe=self.observe)
        return job.generator


def _examined(out: Path, generator: Path) -> Path | None:
    """Folder of an earlier examination of this very generator, to stay in the report."""
    folder = out / "examination"
    if not (folder / EXAMINATION).is_file():
        return None
    return folder if read_examination(folder).generator == generator_digest(generator) else None


def _with_fitting_labels(sites: Sequence[Site], summaries: Sequence[SiteSummary]) -> list[Site]:
    """Leave a table out where none of its rows is about an image; it must be about some site's.

    Raises:
        DataError: If it is about no site's images.
    """
    fits = {summary.site: summary.labels for summary in summaries}
    fitting = [fit for fit in fits.values() if fit is not None and fit.matched]
    if not fitting:
        for fit in fits.values():
            require_fitting(fit)
        return list(sites)
    return [
        site if (fit := fits[site.name]) is None or fit.matched else replace(site, labels=None)
        for site in sites
    ]


def _without_privacy(study: Study) -> Study:
    return replace(study, privacy=replace(study.privacy, enabled=False))


def _of_one_site(study: Study) -> Study:
    return replace(study, federation=replace(study.federation, min_results=1, expected_sites=0))


def _site_alone(study: Study, site: Site, folder: Path) -> Site:
    """Make a site of the same scans that has not taken part: its ledger starts anew.

    Patients are held out by their identifier alone, so they are those of the run. What the two
    trainings spend is not added up: they stand for two courses of events, of which one happens.
    """
    alone = replace(site, state=(folder / "site").resolve())
    write_policies([alone], study)
    return alone


def _pooled(study: Study, sites: Sequence[Site], data: Path, folder: Path) -> Site:
    """Make one site of all sites' data: patients are held out by their identifier alone."""
    one = next((site for site in sites if site.labels), sites[0])
    site = replace(one, name="pooled", data=data, state=(folder / "site").resolve())
    write_policies([site], study)
    return site


def _evaluate(
    generators: dict[str, Path], sites: Sequence[Site], study: Study, out: Path, progress: Observer
) -> EvaluationResult | None:
    try:
        return measure(
            generators,
            sites,
            study,
            gallery=out / "gallery",
            progress=lambda stage, done, of: progress(StageProgress(stage=stage, share=done / of)),
        )
    except DataError as failure:
        # The generator is trained and paid for: it is reported even if it cannot be measured.
        progress(EvaluationSkipped(reason=str(failure)))
        return None


def _require_enough(study: Study, sites: Sequence[Site]) -> None:
    if len(sites) < study.federation.min_results:
        count = "is only 1 site" if len(sites) == 1 else f"are only {len(sites)} sites"
        raise ConfigurationError(
            f"There {count}, and federation.min_results is {study.federation.min_results}.",
            hint=f"Add sites, or set federation.min_results={len(sites)}.",
        )


def _require_own(study: Study, base: Path, out: Path, resume: bool) -> None:
    """Refuse a folder of another run before anything in it is changed."""
    own_study = out / "study.toml"
    if not (out / "run" / "checkpoints").exists() or not own_study.exists():
        return
    if not resume:
        raise CheckpointError(
            f"{out} holds a run already.",
            hint="Continue it with --resume, or choose another folder.",
        )
    digest = generator_digest(base)
    if training_digest(load_study(own_study), digest) != training_digest(study, digest):
        raise CheckpointError(
            f"{out} holds a run of another study.",
            hint=f"Resume it with --config {own_study}, or choose another folder.",
        )


def _indexed(summary: SiteSummary) -> SiteIndexed:
    return SiteIndexed(
        site=summary.site,
        train_patients=summary.train_patients,
        holdout_patients=summary.patients - summary.train_patients,
        set_aside=summary.set_aside,
    )
