"""The headline: what was trained, by whom, at which price, and how good it is."""

from __future__ import annotations

from dataclasses import dataclass

from ..measures.results import EvaluationResult, GeneratorScores
from .numbers import duration, number, percent, score
from .results import RunResults

#: The generator that the run made; the others are there for comparison.
MAIN = "fedscan"
BASE = "base"


_NOISE_ALONE = "below 1 it is mostly noise"


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One number of the headline with its name and a remark."""

    name: str
    value: str
    remark: str


def summary(run: RunResults) -> str:
    """One or two sentences that say what happened."""
    sites = len(run.sites)
    rounds = max((entry.round for entry in run.rounds), default=0)
    who = f"{sites} hospitals" if sites != 1 else "One hospital"
    together = " together" if sites != 1 else ""
    size = f"{run.generator.image_size}\u202f×\u202f{run.generator.image_size}"
    when = f"in {number(rounds)} round{'' if rounds == 1 else 's'}"
    if run.rounds and all(entry.code != "ok" for entry in run.rounds):
        was = "was" if sites == 1 else "were"
        text = (
            f"{who} {was} asked {when} to train one generator of {size} images{together}, and none "
            "gave a usable answer; no image left its site."
        )
    else:
        text = (
            f"{who} trained one generator of {size} images{together}, {when} and "
            f"{duration(run.seconds)}; no image left its site."
        )
    costs = [site.privacy for site in run.sites if site.privacy]
    if run.private and costs:
        worst = max(costs, key=lambda privacy: privacy.epsilon)
        text += (
            f" Whatever left a site is differentially private for each patient as a whole: "
            f"no site spent more than ε = {number(worst.epsilon)} at δ = {number(worst.delta)}."
        )
        alone = [cost.collusion_epsilon for cost in costs if cost.collusion_epsilon is not None]
        if alone:
            text += (
                " The sites added their noise together: that holds against the coordinator and "
                f"the few sites that may work with it, and ε = {number(max(alone))} if all others "
                "did, or the cryptography fell."
            )
    return text


def step_warnings(run: RunResults) -> list[str]:
    """Sentences on rounds that did the model harm, or may have."""
    worse = [str(one.round) for one in run.steps if one.worse]
    far = [str(one.round) for one in run.steps if one.far]
    warnings = []
    if worse:
        warnings.append(
            f"The loss on public images rose in {_rounds(worse)}: the model undoes noise worse "
            "than before, so noise or too large steps took something from it."
        )
    if far:
        warnings.append(
            f"A step moved the weights by more than 1 % of their length in {_rounds(far)}: what "
            "the base has learnt is soon gone so. `fedscan calibrate` finds smaller steps."
        )
    return warnings


def _rounds(numbers: list[str]) -> str:
    return f"round{'' if len(numbers) == 1 else 's'} {', '.join(numbers)}"


def tiles(run: RunResults) -> list[Tile]:
    """The headline's numbers; what was not measured is left out."""
    entries = []
    costs = [site.privacy for site in run.sites if site.privacy]
    if run.private and costs:
        worst = max(costs, key=lambda privacy: privacy.epsilon)
        entries.append(
            Tile(
                name="Privacy spent, most of any site",
                value=f"ε {number(worst.epsilon)}",
                remark=f"of at most {number(worst.epsilon_ceiling)}, δ = {number(worst.delta)}",
            )
        )
    patients = [site.train_patients for site in run.sites if site.train_patients is not None]
    if patients and len(patients) == len(run.sites):
        entries.append(
            Tile(
                name="Patients trained on",
                value=number(sum(patients)),
                remark=f"at {len(run.sites)} site{'' if len(run.sites) == 1 else 's'}",
            )
        )
    if run.measured_signal is not None or run.expected_signal is not None:
        entries.append(_signal(run))
    if run.evaluation:
        entries += _measured(run.evaluation)
    return entries


def _signal(run: RunResults) -> Tile:
    name = "Signal over noise in what was trained"
    if run.measured_signal is None:
        value = number(run.expected_signal)
        return Tile(name=f"{name}, expected", value=value, remark=_NOISE_ALONE)
    plan = "" if run.expected_signal is None else f"expected {number(run.expected_signal)}; "
    return Tile(name=name, value=number(run.measured_signal), remark=plan + _NOISE_ALONE)


def _measured(evaluation: EvaluationResult) -> list[Tile]:
    main = _named(evaluation, MAIN)
    base = _named(evaluation, BASE)
    if main is None:
        return []
    against = f", base {number(base.distances.frechet)}" if base else ""
    entries = [
        Tile(
            name="Fréchet distance to held-out images",
            value=number(main.distances.frechet),
            remark=f"real images {number(evaluation.real.distances.frechet)}{against}",
        )
    ]
    titles = {task.key: task.title for task in evaluation.tasks}
    for scores, real in zip(main.utility, evaluation.real.utility, strict=True):
        share = scores.auc_of_real
        entries.append(
            Tile(
                name=f"AUC, trained on synthetic: {titles[scores.task]}",
                value=score(scores.auc.value),
                remark=f"on real {score(real.auc.value)}"
                + (f", so {percent(share.value)} of it" if share else ""),
            )
        )
    return entries


def _named(evaluation: EvaluationResult, name: str) -> GeneratorScores | None:
    return next((scores for scores in evaluation.generators if scores.name == name), None)
