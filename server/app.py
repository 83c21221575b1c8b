"""The coordinator's ServerApp: from a public base to the federation's generator."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from ..config.study import Study, load_study
from ..errors import (
    CheckpointError,
    DataError,
    FedscanError,
    ModelError,
)
from ..federation.protocol import INTERNAL, RoundRequest, Tensors
from ..model.computing.devices import resolve_device
from ..model.computing.effort import is_too_slow
from ..model.generator import Generator
from ..model.integrity.movement import probe, require_same, share_moved
from ..model.outline import read_image_sizes
from ..model.statistics.composition import finer_words
from ..model.storage import load_generator, save_generator
from ..model.trainable import lora_updates, merge_lora, replace_tensors, select_trainable
from ..model.words.learnt import KEY as LEARNT
from ..model.words.learnt import Learnt
from ..model.words.tables import study_words
from .begun import begun
from .checkpoint import Checkpoints, FederationState
from .collect import Collector
from .composition import collect_compositions
from .event_log import EventLog, both
from .events import (
    CheckpointSkipped,
    GeneratorSaved,
    LossMeasured,
    NothingMoved,
    Observer,
    StudyStopped,
    WorkSkipped,
    log_event,
)
from .exchange import wait_for_sites
from .fitting import require_fitting
from .history import History
from .job import COMPOSITIONS, EVENTS, HISTORY, PREVIEWS, WARM_UP, ServerJob
from .previews import Previews
from .public_loss import PublicLoss
from .readiness import require_ready
from .rounds import Rounds
from .terms import site_terms
from .warm_up import regions_seen, require_feasible_warm_up, warm_start

_log = logging.getLogger(__name__)


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
    if not checkpoints.has_rounds():
        _require_ready(study, base, job, grid, observe)
    start = _warm_start(study, base, generator, job, grid, observe)
    replace_tensors(generator, start)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(study.seed)
        # What does not train is kept whole here: the result is merged into it.
        parameters = select_trainable(generator, replace(study.trainable, frozen_weights="float32"))
    state = _start(checkpoints, history, parameters, job.resume, observe)
    rounds = Rounds(
        collector=Collector(grid=grid, settings=study.federation, observe=observe),
        base=base,
        terms=site_terms(study),
        # What trains is in every request anyway, with its current values.
        start={name: value for name, value in start.items() if name not in parameters},
        checkpoints=checkpoints,
        history=history,
        show=Previews(
            job.run / PREVIEWS,
            prompts=study.evaluation.preview_prompts,
            generator=generator,
            load=lambda checkpoint: _load(parameters, checkpoint.final()),
            seed=study.seed,
            measure=_measuring(PublicLoss(generator), observe),
        )
        if not is_too_slow(generator)
        else _no_previews(observe),
    )
    state = rounds.run(state)
    _load(parameters, state.final())
    # With a warm-up the base's own layers have changed, and the updates are none of the base.
    lora = {} if start else lora_updates(generator)
    merge_lora(generator)
    learnt = (generator.learnt or Learnt(complete=False)).with_study(
        regions=regions_seen(job.run / WARM_UP)
    )
    generator.words = study_words(study.vocabulary, generator.words)
    prediction, half = probe(generator), generator.stable_diffusion is not None
    save_generator(
        generator,
        job.generator,
        _card(study) | {LEARNT: learnt.to_card()},
        half_precision=half,
        lora=lora,
    )
    kind = torch.float16 if half else torch.float32
    require_same(prediction, load_generator(job.generator).to(device), kind)
    movement = share_moved(job.base, job.generator)
    if not movement and study.trainable.subset != "adapters":
        observe(NothingMoved())
    _log.info("the training moved the U-Net's weights by %.2g of their length", movement)
    if study.privacy.enabled and study.privacy.composition_share:
        collect_compositions(
            job.run / COMPOSITIONS,
            grid,
            _before_rounds(study, base),
            finer=finer_words(generator.words),
            delta=study.privacy.delta,
            limit_s=study.federation.round_timeout_s,
            observe=observe,
        )
    observe(GeneratorSaved(folder=str(job.generator)))
    return state


def _no_previews(observe: Observer) -> Callable[[FederationState, bool], None]:
    """Draw nothing, and say so once: a base of many weights would keep a CPU for hours."""
    what = "sample images and the loss on public images"
    observe(WorkSkipped(what=what, reason="the base is too large for the coordinator's CPU"))
    return lambda state, last: None


def _require_ready(study: Study, base: str, job: ServerJob, grid: Grid, observe: Observer) -> None:
    """Ask the sites, before anything is paid, whether what comes next could begin with them."""
    statistics_next = _has_warm_up(study) and not (job.run / WARM_UP).exists()
    request = replace(_before_rounds(study, base), round=0 if statistics_next else 1)
    require_ready(grid, lambda: _connect(study, grid), request, study.federation, observe)


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
    study: Study, base: str, generator: Generator, job: ServerJob, grid: Grid, observe: Observer
) -> Tensors:
    """Return what the warm-up changes in the base; nothing where the study has none."""
    if not _has_warm_up(study):
        return {}
    return warm_start(
        job.run / WARM_UP,
        generator,
        _before_rounds(study, base),
        grid,
        lambda: _connect(study, grid),
        study.federation,
        study.warm_up,
        seed=study.seed,
        observe=observe,
    )


def _before_rounds(study: Study, base: str) -> RoundRequest:
    """Round 0: what asks for other things than training."""
    rounds = study.federation.rounds
    return RoundRequest(round=0, rounds=rounds, base=base, terms=site_terms(study), tensors={})


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


def _measuring(loss: PublicLoss, observe: Observer) -> Callable[[int], None]:
    def measure(number: int) -> None:
        try:
            observe(LossMeasured(round=number, loss=loss.measure()))
        except (DataError, ModelError) as failure:
            # Nothing that only people look at may end a training that is paid for.
            _log.warning("The loss of round %d is not known: %s", number, failure)

    return measure


def _card(study: Study) -> dict[str, Any]:
    """What the model card says of the training; all of it public."""
    return {
        "study": study.name,
        "rounds": study.federation.rounds,
        "private": study.privacy.enabled,
        "epsilon": study.privacy.epsilon if study.privacy.enabled else None,
        "delta": study.privacy.delta if study.privacy.enabled else None,
        "trained": study.trainable.subset,
    }


app = server_app()
