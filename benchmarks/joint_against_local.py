"""Local against joint noise: what a budget buys on three phantom hospitals, some runs of each.

Run: nice python benchmarks/joint_against_local.py [--runs 5] [--patients 110 90 70] [--out FOLDER]

Each way trains the shipped base with as many steps, at equal epsilon against the coordinator (with
one other site, where the noise is joint), on the same hospitals with the same patients held out:

- local: each site adds all of its noise, and takes several steps a round;
- one-step: the same with one step a round, as joint sums need: what that alone costs;
- joint: all sites add the noise together.

The noise is secret and another one in each run. Told are the mean over the runs and its 95 %
interval by Student's t, of the denoising loss on held-out images (its change from the base's, which
is better the lower it is), of the accuracy on held-out images of classifiers that learnt from
synthetic ones, and of the noise in a step. With --loss-only no images are drawn.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from fedscan.config.study import Study, load_study
from fedscan.evaluation.measures.image_sets import RealSets
from fedscan.evaluation.memory.membership import loss_errors
from fedscan.model.storage import load_generator, shipped_base
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings
from fedscan.privacy.joint.plan import plan_joint
from fedscan.privacy.planning import plan_mechanism
from fedscan.privacy.study_costs import once_mechanisms
from fedscan.server.events import Event
from fedscan.simulation.measure import measure, real_sets
from fedscan.simulation.run import simulate
from fedscan.simulation.sites import find_sites
from scipy import stats

STEPS = 24
STEPS_A_ROUND = 6
#: All that the ways share; the classifiers are those of the demo.
SHARED = (
    "privacy.epsilon=8",
    "privacy.draws_per_patient=2",
    "federation.expected_sites=3",
    "evaluation.samples_per_class=64",
    "evaluation.samples=128",
    "evaluation.real_images=256",
    "evaluation.classifier_steps=120",
    "evaluation.classifier_seeds=2",
    "evaluation.preview_prompts=[]",
)
ONE_STEP = ("local.steps=1", f"federation.rounds={STEPS}")
WAYS = {
    "local": (f"local.steps={STEPS_A_ROUND}", f"federation.rounds={STEPS // STEPS_A_ROUND}"),
    "one-step": ONE_STEP,
    "joint": (
        *ONE_STEP,
        "privacy.sum=joint",
        "privacy.min_sites=3",
        "privacy.colluding_sites=1",
        "privacy.collusion_epsilon=20",
        "privacy.spare_attempts=1",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came of one training."""

    way: str
    seconds: float
    loss: float
    scores: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--patients", type=int, nargs=3, default=[110, 90, 70])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["local", "joint"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=31, help="of the hospitals")
    parser.add_argument("--loss-only", action="store_true", help="draw no images")
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    parser.add_argument("--out", type=Path, help="keeps all of it; what is there is not run again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch)
        data = out / "hospitals"
        if not data.exists():
            settings = PhantomSettings(
                patients=tuple(options.patients), slices=4, paired_share=0.1, seed=options.seed
            )
            write_hospitals(data, settings)
        studies = {
            way: load_study(None, [*SHARED, *WAYS[way], *options.set]) for way in options.ways
        }
        runs = [
            one_run(study, way, number, data, out, options)
            for number in range(options.runs)
            for way, study in studies.items()
        ]
        print_table(runs, studies, base_scores(studies, data, out, options), options.patients)


def one_run(
    study: Study, way: str, number: int, data: Path, out: Path, options: argparse.Namespace
) -> Run:
    """Train once, and measure; a run that is there already is read."""
    folder = out / f"{way}-{number}"
    record = folder / "run.json"
    if record.exists():
        return Run(**json.loads(record.read_bytes()))
    begin = time.monotonic()
    simulate(study, data, folder, workers=options.workers, evaluate=False, progress=say_nothing)
    seconds = time.monotonic() - begin
    loss, scores = measured_on(folder / "generator", study, data, out, options.loss_only)
    run = Run(way=way, seconds=seconds, loss=loss, scores=scores)
    record.write_text(json.dumps(asdict(run)))
    print(f"{way} {number}: {seconds:.0f} s, loss {loss:.5f}, {scores}", flush=True)
    return run


def say_nothing(event: Event) -> None:
    """The table at the end is what is told."""


def base_scores(
    studies: dict[str, Study], data: Path, out: Path, options: argparse.Namespace
) -> tuple[float, dict[str, float]]:
    """Return loss and scores of the base that all runs begin with."""
    study = next(iter(studies.values()))
    return measured_on(shipped_base(), study, data, out, options.loss_only)


def measured_on(
    generator: Path, study: Study, data: Path, out: Path, loss_only: bool
) -> tuple[float, dict[str, float]]:
    """Return the denoising loss on held-out images, and what classifiers learn from synthetic ones.

    The patients that are held out are told by their identifiers alone: they are the same in all
    runs. The sites that images are read from here keep what they decoded.
    """
    sites = find_sites(data.resolve(), (out / "looking").resolve(), shipped_base())
    real: RealSets = real_sets(sites, study, holdout_images=study.evaluation.real_images)
    errors = loss_errors(
        load_generator(generator, study.data.image_size),
        real.holdout,
        timesteps=4,
        noises=2,
        seed=study.seed,
    )
    scores = {}
    if not loss_only:
        result = measure({"it": generator}, sites, study, gallery=out / "gallery")
        (one,) = (each for each in result.generators if each.name == "it")
        scores = {
            f"{utility.task} {name}": value
            for utility in one.utility
            for name, value in (
                ("accuracy", utility.accuracy.value),
                ("AUC", utility.auc.value),
            )
        }
    return float(np.mean(errors)), scores


def step_noise(study: Study, patients: Sequence[int]) -> float:
    """Return the deviation of the noise in a step's mean gradient, in clip norms, as planned."""
    privacy, rounds = study.privacy, study.federation.rounds
    draws = privacy.sample_rate * sum(patients) * (1 - study.data.holdout_fraction)
    if privacy.sum == "joint":
        noise = plan_joint(privacy, rounds).minimum_share
    else:
        noise = plan_mechanism(
            epsilon=privacy.epsilon,
            delta=privacy.delta,
            sample_rate=privacy.sample_rate,
            steps=rounds * study.local.steps,
            in_study=once_mechanisms(privacy, statistics=False),
        ).noise_multiplier
    return noise * math.sqrt(len(patients)) / draws


def print_table(
    runs: Sequence[Run],
    studies: dict[str, Study],
    base: tuple[float, dict[str, float]],
    patients: Sequence[int],
) -> None:
    names = list(base[1])
    print(
        f"| Way | Runs | Noise of a step | Loss, from {base[0]:.5f} | Seconds |", *names, sep=" | "
    )
    print("|---|---|---|---|---|" + "---|" * len(names))
    print("| base | | | | |", *(f"{base[1][name]:.3f}" for name in names), sep=" | ")
    for way, study in studies.items():
        own = [run for run in runs if run.way == way]
        cells = [
            way,
            str(len(own)),
            f"{step_noise(study, patients):.5f}",
            told([run.loss - base[0] for run in own], ".5f"),
            told([run.seconds for run in own], ".0f"),
            *(told([run.scores[name] for run in own], ".3f") for name in names),
        ]
        print(row(cells))


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def told(values: Sequence[float], form: str) -> str:
    """Return a mean with its 95 % interval by Student's t."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:{form}}"
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return f"{mean:{form}} [{mean - half:{form}}, {mean + half:{form}}]"


if __name__ == "__main__":
    main()
