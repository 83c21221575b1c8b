"""Local against joint noise: what a budget buys on phantom hospitals, some runs of each.

Run: OMP_NUM_THREADS=1 nice python benchmarks/joint_against_local.py [--runs 5]
         [--patients 110 90 70 | --data HOSPITALS] [--out FOLDER]

Each way trains the shipped base with as many steps, at equal epsilon against the coordinator (with
one other site, where the noise is joint), on the same hospitals with the same patients held out:

- local: each site adds all of its noise, and takes several steps a round;
- one-step: the same with one step a round, as joint sums need: what that alone costs;
- joint: all sites add the noise together.

All ways train the same tensors, at the clip norm and rate of ``trainable.subset = "auto"``. The
noise is secret and another one in each run. Told are means over the runs with their 95 % intervals
by Student's t, and differences to the first way by Welch's: of the denoising loss on held-out
images (its change from the base's; the lower the better), of classifiers that learnt from
synthetic images and are tested on held-out ones, and of the distances between these. With
--loss-only no images are drawn. --out keeps all of it: what was interrupted goes on, and more runs
or ways can be added.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from fedscan.client.site import Site
from fedscan.client.workspace.patient_numbers import patient_numbers
from fedscan.config.study import Study, load_study
from fedscan.evaluation.measures.results import GeneratorScores, RealScores
from fedscan.evaluation.memory.membership import loss_errors
from fedscan.model.storage import load_generator, shipped_base
from fedscan.model.words.tables import read_vocabulary, study_words
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings
from fedscan.privacy.joint.plan import plan_joint
from fedscan.privacy.planning import plan_mechanism
from fedscan.privacy.study_costs import once_mechanisms
from fedscan.simulation.measure import measure, real_sets
from fedscan.simulation.run import simulate
from fedscan.simulation.sites import find_sites
from fedscan.simulation.submitting import as_submitted
from scipy import stats

#: Names that the base and the real images go by beside the ways.
BASE, REAL = "base", "real"
#: All that the ways share; the classifiers are those of the demo.
SHARED = (
    "privacy.epsilon=8",
    "privacy.draws_per_patient=2",
    "evaluation.samples_per_class=64",
    "evaluation.samples=128",
    "evaluation.real_images=256",
    "evaluation.classifier_steps=120",
    "evaluation.classifier_seeds=2",
    "evaluation.preview_prompts=[]",
)
JOINT = (
    "privacy.sum=joint",
    "privacy.min_sites=3",
    "privacy.colluding_sites=1",
    "privacy.collusion_epsilon=20",
    "privacy.spare_attempts=1",
)
#: Steps a round, and what else a way has of its own.
WAYS = {"local": (6, ()), "one-step": (1, ()), "joint": (1, JOINT)}


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came of one training, or of the base.

    Attributes:
        way: Which one.
        seconds: Processor time of the training; 0 for the base.
        loss: Denoising loss on held-out images.
        scores: What else was measured, by name.
    """

    way: str
    seconds: float
    loss: float
    scores: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--patients", type=int, nargs="+", default=[110, 90, 70])
    parser.add_argument("--data", type=Path, help="other hospitals, three or more")
    parser.add_argument("--slices", type=int, default=4, help="of a series")
    parser.add_argument("--steps", type=int, default=24, help="of a training: a multiple of 6")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["local", "joint"])
    parser.add_argument("--seed", type=int, default=31, help="of the hospitals")
    parser.add_argument("--loss-only", action="store_true", help="draw no images")
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    parser.add_argument("--out", type=Path, help="keeps all of it; what is there is not run again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch)
        data = options.data or out / "hospitals"
        if not data.exists():
            settings = PhantomSettings(
                patients=tuple(options.patients),
                slices=options.slices,
                paired_share=0.1,
                seed=options.seed,
            )
            write_hospitals(data, settings)
        sites = find_sites(data.resolve(), (out / "looking").resolve(), shipped_base())
        terms = [*SHARED, f"federation.expected_sites={len(sites)}", *options.set]
        patients = training_patients(load_study(None, terms), sites)
        studies = {}
        for way in options.ways:
            at_once, own = WAYS[way]
            rounds = options.steps // at_once
            own = (*own, f"local.steps={at_once}", f"federation.rounds={rounds}")
            studies[way] = load_study(None, [*terms, *own])
        studies = alike(studies, patients)
        # A run of each way before the second of any: whatever is there can be compared.
        folders = {
            f"{way} {number}": train(study, data, out / f"{way}-{number}")
            for number in range(options.runs)
            for way, study in studies.items()
        }
        study = next(iter(studies.values()))
        print_table(measured(folders, study, sites, out, options.loss_only), studies, patients)


def training_patients(study: Study, sites: Sequence[Site]) -> list[int]:
    """Count each site's patients who are not held out."""
    words = study_words(study.vocabulary, read_vocabulary(shipped_base()))
    return [patient_numbers(site, study.data, words).training for site in sites]


def alike(studies: dict[str, Study], patients: Sequence[int]) -> dict[str, Study]:
    """Let all ways train what the first of them would choose for so many patients."""
    first = as_submitted(next(iter(studies.values())), patients)
    return {
        way: replace(
            study,
            trainable=first.trainable,
            outlook=first.outlook,
            privacy=replace(study.privacy, clip_norm=first.privacy.clip_norm),
            local=replace(study.local, learning_rate=first.local.learning_rate),
        )
        for way, study in studies.items()
    }


def train(study: Study, data: Path, folder: Path) -> Path:
    """Train once, and return the run's folder; a run that is there already is taken."""
    record = folder / "trained.json"
    if not record.exists():
        begin = time.process_time()
        # One process for all, so that its processor time is that of the whole training.
        options = {"workers": 1, "evaluate": False, "resume": folder.exists()}
        simulate(study, data, folder, **options, progress=lambda event: None)
        record.write_text(json.dumps(time.process_time() - begin))
        print(f"{folder.name} is trained", flush=True)
    return folder


def measured(
    folders: dict[str, Path], study: Study, sites: Sequence[Site], out: Path, loss_only: bool
) -> list[Run]:
    """Return loss and scores of the base and of all runs; what was measured before is read.

    The patients that are held out are told by their identifiers alone: they are the same in all
    runs. The sites that images are read from here keep what they decoded.
    """
    record = out / ("losses.json" if loss_only else "measured.json")
    results = json.loads(record.read_bytes()) if record.exists() else {}
    generators = {name: folder / "generator" for name, folder in folders.items()}
    new = {
        name: folder
        for name, folder in {BASE: shipped_base(), **generators}.items()
        if name not in results
    }
    if new:
        holdout = real_sets(sites, study, holdout_images=study.evaluation.real_images).holdout
        for name, folder in new.items():
            generator = load_generator(folder, study.data.image_size)
            errors = loss_errors(generator, holdout, timesteps=4, noises=2, seed=study.seed)
            results[name] = {"loss": float(np.mean(errors)), "scores": {}}
        if not loss_only:
            # All at once: what is measured on real images is the same for all of them.
            result = measure(new, sites, study, gallery=out / "gallery")
            for scores in result.generators:
                results[scores.name]["scores"] = as_row(scores)
            results.setdefault(REAL, {"loss": math.nan, "scores": as_row(result.real)})
        record.write_text(json.dumps(results, indent=1))
    return [
        Run(way=name.split()[0], seconds=seconds_of(folders.get(name)), **values)
        for name, values in results.items()
        if name in folders or name in (BASE, REAL)
    ]


def seconds_of(folder: Path | None) -> float:
    """Return the processor time of a training; 0 where nothing was trained."""
    return float(json.loads((folder / "trained.json").read_bytes())) if folder else 0.0


def as_row(scores: GeneratorScores | RealScores) -> dict[str, float]:
    """Return accuracies, areas and distances by name."""
    row = {}
    for utility in scores.utility:
        row[f"{utility.task}: accuracy"] = utility.accuracy.value
        row[f"{utility.task}: AUC"] = utility.auc.value
    return {
        **row,
        "Fréchet distance": scores.distances.frechet,
        "kernel distance": scores.distances.kernel,
    }


def step_noise(study: Study, patients: Sequence[int]) -> float:
    """Return the deviation of the noise in a step's mean gradient, in clip norms, as planned."""
    privacy, rounds = study.privacy, study.federation.rounds
    draws = privacy.sample_rate * sum(patients)
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


def print_table(runs: Sequence[Run], studies: dict[str, Study], patients: Sequence[int]) -> None:
    trains = next(iter(studies.values())).trainable
    print(f"{sum(patients)} training patients, {trains.subset} of rank {trains.lora_rank}")
    base = next(run for run in runs if run.way == BASE)
    names = list(base.scores)
    print(row(["Way", "Runs", "Noise of a step", f"Loss, from {base.loss:.5f}", "Seconds", *names]))
    print("|---|---|---|---|---|" + "---|" * len(names))
    for run in runs:
        if run.way in (BASE, REAL):
            print(row([run.way, "", "", "", "", *(f"{run.scores[name]:.3f}" for name in names)]))
    by_way = {way: [run for run in runs if run.way == way] for way in studies}
    for way, study in studies.items():
        own = by_way[way]
        cells = [
            way,
            str(len(own)),
            f"{step_noise(study, patients):.5f}",
            told([run.loss - base.loss for run in own], ".5f"),
            told([run.seconds for run in own], ".0f"),
            *(told([run.scores[name] for run in own], ".3f") for name in names),
        ]
        print(row(cells))
    first, *others = by_way
    for way in others:
        pair = by_way[way], by_way[first]
        loss = told_difference(*([run.loss for run in own] for own in pair), ".5f")
        rest = [
            told_difference(*([run.scores[name] for run in own] for own in pair), ".3f")
            for name in names
        ]
        print(row([f"{way} less {first}", "", "", loss, "", *rest]))


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def told(values: Sequence[float], form: str) -> str:
    """Return a mean with its 95 % interval by Student's t."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:{form}}"
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return f"{mean:{form}} [{mean - half:{form}}, {mean + half:{form}}]"


def told_difference(values: Sequence[float], others: Sequence[float], form: str) -> str:
    """Return a difference of means with its 95 % interval by Welch's t."""
    difference = float(np.mean(values) - np.mean(others))
    if min(len(values), len(others)) < 2:
        return f"{difference:+{form}}"
    interval = stats.ttest_ind(values, others, equal_var=False).confidence_interval(0.95)
    return f"{difference:+{form}} [{interval.low:+{form}}, {interval.high:+{form}}]"


if __name__ == "__main__":
    main()
