"""What a study's generator is compared with: trainings of other studies on the same sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..client.site import Site
from ..common.files import write_atomically
from ..config.study import Study, study_to_toml
from ..server.events import Observer
from ..server.job import ServerJob
from ..server.terms import is_joint
from .engine import Engine, run_federation
from .events import StageStarted
from .indexing import SiteSummary
from .ray_engine import RayCluster
from .sites import write_policies

#: Name of the private training on one site's data alone, among the comparisons.
SINGLE_SITE = "single-site"
#: Name of the training of a joint study's sites with noise of their own.
LOCAL_NOISE = "local-noise"


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Runs federations that differ in study, sites and folder.

    Attributes:
        base: Folder of the generator that all of them start from.
        resume: Continue those that were interrupted.
        engine: What carries messages between coordinator and sites.
        workers: Sites that compute at the same time.
        observe: Told what happens.
        device: Where the coordinator computes.
        cluster: Where the Ray engine runs, if not on this machine alone.
    """

    base: Path
    resume: bool
    engine: Engine
    workers: int
    observe: Observer
    device: str = "cpu"
    cluster: RayCluster | None = None

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
            device=self.device,
        )
        run_federation(
            job,
            sites,
            engine=self.engine,
            workers=self.workers,
            observe=self.observe,
            cluster=self.cluster,
        )
        return job.generator


def train_comparisons(
    runner: Runner,
    study: Study,
    sites: Sequence[Site],
    summaries: Sequence[SiteSummary],
    *,
    data: Path,
    out: Path,
    progress: Observer,
) -> dict[str, Path]:
    """Train what the study asks to be compared with, each in its folder of ``comparisons/``.

    Args:
        runner: Runs the trainings.
        study: The study that was trained.
        sites: Its sites.
        summaries: What was found at them.
        data: Folder whose subfolders are the sites' DICOM files.
        out: The run's folder.
        progress: Told what begins.

    Returns:
        Folders of generators by name.
    """
    generators, comparisons = {}, out / "comparisons"
    if study.evaluation.non_private and study.privacy.enabled:
        progress(StageStarted(stage="Training without privacy", comparison=True))
        generators["non-private"] = runner.run(
            _without_privacy(study), sites, comparisons / "non-private"
        )
    if study.evaluation.local_noise and is_joint(study):
        progress(StageStarted(stage="Training with local noise", comparison=True))
        local = replace(study, privacy=replace(study.privacy, sum="local"))
        folder = comparisons / LOCAL_NOISE
        apart = [_site_apart(local, site, folder / "sites" / site.name) for site in sites]
        generators[LOCAL_NOISE] = runner.run(local, apart, folder)
    if study.evaluation.single_site:
        progress(StageStarted(stage="Training at a single site", comparison=True))
        largest = max(summaries, key=lambda summary: summary.train_patients).site
        alone = _site_apart(
            study,
            next(site for site in sites if site.name == largest),
            comparisons / SINGLE_SITE / "site",
        )
        generators[SINGLE_SITE] = runner.run(
            _of_one_site(study), [alone], comparisons / SINGLE_SITE
        )
    if study.evaluation.pooled:
        progress(StageStarted(stage="Training on pooled data", comparison=True))
        site = _pooled(study, sites, data, comparisons / "pooled")
        generators["pooled"] = runner.run(
            _of_one_site(_without_privacy(study)), [site], comparisons / "pooled"
        )
    return generators


def _without_privacy(study: Study) -> Study:
    return replace(study, privacy=replace(study.privacy, enabled=False, sum="local"))


def _of_one_site(study: Study) -> Study:
    return replace(
        study,
        privacy=replace(study.privacy, sum="local"),
        federation=replace(study.federation, min_results=1, expected_sites=0),
    )


def _site_apart(study: Study, site: Site, state: Path) -> Site:
    """Make a site of the same scans that has not taken part: its ledger starts anew.

    Patients are held out by their identifier alone, so they are those of the run. What the two
    trainings spend is not added up: they stand for two courses of events, of which one happens.
    """
    apart = replace(site, state=state.resolve())
    write_policies([apart], study)
    return apart


def _pooled(study: Study, sites: Sequence[Site], data: Path, folder: Path) -> Site:
    """Make one site of all sites' data: patients are held out by their identifier alone."""
    one = next((site for site in sites if site.labels), sites[0])
    site = replace(one, name="pooled", data=data, state=(folder / "site").resolve())
    write_policies([site], study)
    return site
