"""The coordinator's ServerApp: from a public base to the federation's generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from numpy.typing import NDArray

from ..config.study import Study, load_study
from ..errors import CheckpointError, FedscanError
from ..federation.protocol import INTERNAL, RoundRequest, Tensors
from ..model.computing.devices import resolve_device
from ..model.computing.effort import is_too_slow
from ..model.generator import Generator
from ..model.outline import read_image_sizes
from ..model.statistics.composition import finer_words
from ..model.storage import load_generator
from ..model.trainable import replace_tensors, select_trainable
from ..model.words.tables import study_words
from .begun import begun
from .checkpoint import Checkpoints, FederationState
from .collect import Collector
from .composition import collect_compositions
from .event_log import EventLog, both
from .events import (
    CheckpointSkipped,
    GeneratorSaved,
    Observer,
    StudyStopped,
    log_event,
)
from .exchange import wait_for_sites
from .fitting import require_fitting
from .history import History
from .job import COMPOSITIONS, EVENTS, HISTORY, PREVIEWS, WARM_UP, ServerJob
from .joint.roster import needed_sites
from .joint.study import JointStudy
from .previews import Previews, no_previews
from .progress.movement import telling_movement
from .progress.result import save_result
from .public_loss import PublicLoss, measuring
from .readiness import require_ready
from .rounds import Rounds
from .statistics import collect_statistics
from .terms import is_joint, site_terms
from .warm_up import require_feasible_warm_up, warm_start


def server_app(observe: Observer = log_event) -> ServerApp:
    """Make the coordinator's app.

    Its run configuration is that of :class:`~fedscan.server.job.ServerJob`.

    Args:
        observe: Told what happens.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        run_study(grid, ServerJob.from_config(context.run_config), observe)

    return app


def run_study(grid: Grid, job: ServerJob, observe: Observer) -> FederationState:
    """Run a study, or the rest of one, and save its generator.

    Args:
        grid: Flower's grid, which reaches the sites.
        job: Where everything lies.
        observe: Told what happens.

    Returns:
        The last round's state.

    Raises:
        CheckpointError: If the run's folder holds a run already and ``job.resume`` is off, or
            its checkpoints are of another study or all damaged.
        ConfigurationError: If the study does not fit the base, or its warm-up this machine.
        RoundFailedError: If a round got too few usable results.
    """
    observe = both(observe, EventLog(job.run / EVENTS))
    try:
        return _run(grid, job, observe)
    except Exception as failure:
        code = failure.code if isinstance(failure, FedscanError) else INTERNAL
        observe(StudyStopped(code=code, reason=str(failure) or type(failure).__name__))
        raise


def _run(grid: Grid, job: ServerJob, observe: Observer) -> FederationState:
    study = load_study(job.study)
    names = begun(job.run, study, job.base)
    base = names.base
    require_fitting(study, read_image_sizes(job.base))
    device = resolve_device(job.device)
    generator = load_generator(job.base, study.data.image_size).to(device)
    if _has_warm_up(study) and not (job.run / WARM_UP).exists():
        require_feasible_warm_up(generator)
    checkpoints = Checkpoints(
        job.run / "checkpoints",
        study=names.training,
        limit=study.federation.checkpoints_kept,
    )
    history = History(job.run / HISTORY)
    joint = (
        JointStudy(study=study, base=base, run=job.run, grid=grid, observe=observe)
        if is_joint(study)
        else None
    )
    terms = joint.open() if joint else site_terms(study)
    before = RoundRequest(
        round=0, rounds=study.federation.rounds, base=base, terms=terms, tensors={}
    )
    if not checkpoints.has_rounds():
        _require_ready(study, before, job, grid, observe)
    words = study_words(study.vocabulary, generator.words)
    if joint:
        joint.count(terms, finer_words(words))
    start = _warm_start(study, before, generator, job, grid, observe, joint)
    replace_tensors(generator, start)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(study.seed)
        # What does not train is kept whole here: the result is merged into it.
        parameters = select_trainable(generator, replace(study.trainable, frozen_weights="float32"))
    state = _start(checkpoints, history, parameters, job.resume, observe)
    # What trains is in every request anyway, with its current values.
    start_tensors = {name: value for name, value in start.items() if name not in parameters}
    show: Callable[[FederationState, bool], None]
    loss = None if is_too_slow(generator) else PublicLoss(generator)
    if loss is None:
        show = no_previews(observe)
    else:
        previews = Previews(
            job.run / PREVIEWS,
            prompts=study.evaluation.preview_prompts,
            generator=generator,
            load=lambda checkpoint: _load(parameters, checkpoint.final()),
            seed=study.seed,
            measure=measuring(loss, observe),
        )
        if state.round < study.federation.rounds:
            previews.begin(state)
        show = previews
    show = telling_movement(show, generator, state, 1 if joint else study.local.steps, observe)
    if joint:
        measure = loss.measuring(lambda model: _load(parameters, model)) if loss else None
        state = joint.rounds(state, terms, start_tensors, checkpoints, history, show, measure)
    else:
        state = Rounds(
            collector=Collector(grid=grid, settings=study.federation, observe=observe),
            base=base,
            terms=terms,
            start=start_tensors,
            checkpoints=checkpoints,
            history=history,
            show=show,
        ).run(state)
    _load(parameters, state.final())
    generator.words = words
    image = save_result(generator, study, job, warmed_up=bool(start), observe=observe)
    if study.privacy.enabled and study.privacy.composition_share and not joint:
        collect_compositions(
            job.run / COMPOSITIONS,
            grid,
            before,
            finer=finer_words(words),
            delta=study.privacy.delta,
            limit_s=study.federation.round_timeout_s,
            observe=observe,
        )
    if joint:
        joint.end(terms)
    observe(GeneratorSaved(folder=str(job.generator), image=image))
    return state


def _require_ready(
    study: Study, before: RoundRequest, job: ServerJob, grid: Grid, observe: Observer
) -> None:
    """Ask the sites, before anything is paid, whether what comes next could begin with them."""
    statistics_next = _has_warm_up(study) and not (job.run / WARM_UP).exists()
    request = replace(before, round=0 if statistics_next else 1)
    settings = needed_sites(study) if is_joint(study) else study.federation
    require_ready(grid, lambda: _connect(study, grid), request, settings, observe)


def _has_warm_up(study: Study) -> bool:
    return study.warm_up.enabled and study.privacy.enabled


def _connect(study: Study, grid: Grid) -> list[int]:
    settings = study.federation
    return wait_for_sites(
        grid,
        target=settings.expected_sites,
        minimum=settings.min_results,
        limit_s=settings.wait_timeout_s,
    )


def _warm_start(
    study: Study,
    before: RoundRequest,
    generator: Generator,
    job: ServerJob,
    grid: Grid,
    observe: Observer,
    joint: JointStudy | None,
) -> Tensors:
    """Return what the warm-up changes in the base; nothing where the study has none."""
    if not _has_warm_up(study):
        return {}

    def collect() -> tuple[NDArray[np.float32], float]:
        if joint:
            return joint.group_sums()
        return collect_statistics(
            grid, lambda: _connect(study, grid), before, study.federation, observe
        )

    return warm_start(
        job.run / WARM_UP,
        generator,
        collect,
        study.warm_up,
        seed=study.seed,
        observe=observe,
    )


def _start(
    checkpoints: Checkpoints,
    history: History,
    parameters: dict[str, torch.nn.Parameter],
    resume: bool,
    observe: Observer,
) -> FederationState:
    """Take up the newest good checkpoint, or make the one of round 0."""
    state = checkpoints.latest(
        lambda name, reason: observe(CheckpointSkipped(name=name, reason=reason))
    )
    if state is not None and not resume:
        raise CheckpointError(
            f"The run's folder holds a run that has finished round {state.round}.",
            hint="Continue it with --resume, or choose another folder.",
        )
    if state is None:
        # The initial tensors may be random: a run killed in its first round starts from the same.
        model = {name: value.detach().cpu().numpy() for name, value in parameters.items()}
        state = FederationState(round=0, model=model)
        checkpoints.save(state)
    history.rewind(state.round)
    return state


def _load(parameters: dict[str, torch.nn.Parameter], tensors: Tensors) -> None:
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(torch.from_numpy(tensors[name].copy()))


app = server_app()
