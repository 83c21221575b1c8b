"""What a study would learn for its budget, before anything is spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ..common.counted import counted
from ..config.study import Study, load_study
from ..errors import ConfigurationError
from ..model.computing.memory import open_outline
from ..model.generator import Generator
from ..model.settings import Subset, TrainableSettings
from ..model.storage import load_generator
from ..model.trainable import count_trainable
from ..privacy.signal import Signal
from ..privacy.study_signal import ENOUGH, agreement_of, in_words, study_signal
from ..server.job import base_of
from .agreement import measured_agreement

Way = TypeVar("Way")

#: Clip norm that about half of the gradients exceed, and learning rate, by what trains
#: (docs/results.md). Low-rank updates have the defaults of a study.
SUITED = {
    "biases": (0.035, 8e-3),
    "norms": (0.083, 8e-3),
    "attention": (0.14, 1e-3),
    "all": (0.14, 1e-3),
}

#: The optimizer that these rates, and the default one, were measured with.
RATES_ARE_OF = "adam"

#: What a study can train, from few numbers to many, with low-rank updates of these ranks between.
FEW: tuple[Subset, ...] = ("biases", "norms")
_RANKS = (1, 2, 4, 8)
MANY: tuple[Subset, ...] = ("attention", "all")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One way to train, and what would come of it.

    Attributes:
        settings: The settings that differ from the study's, such as ``trainable.lora_rank=1``;
            empty for the study as it is.
        signal: What patients teach against the noise.
    """

    settings: tuple[str, ...]
    signal: Signal


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """What a study would learn, and what else it could do.

    Attributes:
        sites: Training patients of each site.
        is_measured: Whether the agreement of gradients was measured, on made-up patients.
        trains: What it trains.
        reason: Why that was chosen, where the study leaves it open; else empty.
        as_it_is: The study itself.
        choices: Other settings, the strongest signal first.
    """

    sites: tuple[int, ...]
    is_measured: bool
    trains: str
    reason: str
    as_it_is: Choice
    choices: tuple[Choice, ...]

    @property
    def recommendation(self) -> Choice | None:
        """What trains most among all with signal enough; ``None`` if the study is as good.

        Where nothing has enough, what has the strongest signal.
        """
        best, _ = strongest([(one, one.signal) for one in (self.as_it_is, *self.choices)])
        return None if best is self.as_it_is else best

    @property
    def verdict(self) -> str:
        """One sentence on the study as it is."""
        return in_words(self.as_it_is.signal)


def plan_study(study: Study, sites: Sequence[int], *, measure: bool = True) -> StudyPlan:
    """Tell what a study would learn from sites of these sizes, and what it could do instead.

    Nothing private is read or spent: sizes are what sites declare, and how well gradients agree
    is measured on made-up patients.

    Args:
        study: What to do; a private study.
        sites: Training patients of each site.
        measure: Whether to measure the agreement on the study's base, which takes some time; a
            typical one is taken otherwise.

    Raises:
        BudgetExceededError: If no noise keeps the study's promise.
        ConfigurationError: If the study is not private, or a site has no patients.
    """
    if not study.privacy.enabled:
        raise ConfigurationError(
            "The study is not private, so there is no noise to plan with.",
            hint="Set privacy.enabled=true.",
        )
    if not sites or min(sites) < 1:
        raise ConfigurationError(
            f"Sites of {list(sites)} training patients cannot be planned with.",
            hint="Name the training patients of each site, one at least.",
        )
    # With a subset, where the study leaves it open.
    definite = definite_study(replace(study, outlook=replace(study.outlook, patients=tuple(sites))))
    folder, trainable = base_of(study), definite.trainable
    agreement = agreement_of(trainable.subset)
    if measure:
        agreement = measured_agreement(definite, load_generator(folder))
    elif study.outlook.agreement:
        agreement = study.outlook.agreement
    base = open_outline(folder)
    own = _signal(definite, sites, count_trainable(base, trainable), agreement)
    choices = [*_choices(trainable, base, own), *_joint(definite, sites, base, own)]
    return StudyPlan(
        sites=tuple(sites),
        is_measured=measure,
        trains=in_short(trainable),
        reason=definite.outlook.reason if study.trainable.subset == "auto" else "",
        as_it_is=Choice(settings=(), signal=own),
        choices=tuple(sorted(choices, key=lambda each: -each.signal.ratio)),
    )


def definite_study(study: Study) -> Study:
    """Choose once what ``trainable.subset = "auto"`` trains, by public facts alone.

    By the sizes that sites declare, the study's budget, and how well gradients of made-up patients
    agree: what trains most among all with signal enough; where nothing has, what has the strongest.
    Clip norm and learning rate become those that suit it, where the study has their defaults; the
    rate only with the optimizer that rates were measured with, and the reason says so with others.
    A study that names its subset stays as it is, and where no sizes are declared or nothing is
    private, low-rank updates train.

    Args:
        study: The study; its base must be there.

    Returns:
        The same with a subset and, where it was chosen, why.

    Raises:
        BudgetExceededError: If no noise keeps the study's promise.
        ModelError: If its base is none.
    """
    if study.trainable.subset != "auto":
        return study
    low_rank, outlook = study.trainable.definite, study.outlook
    patients = outlook.patients
    if not study.privacy.enabled or not patients:
        return replace(study, trainable=low_rank)
    base = open_outline(base_of(study))
    agreement = outlook.agreement or agreement_of(low_rank.subset)
    own = _signal(study, patients, count_trainable(base, low_rank), agreement)
    signals = [(each, _other(own, low_rank, each, base)) for each in _ways(low_rank)]
    trainable, signal = strongest(signals)
    reason = (
        f"{in_short(trainable)}, out of {', '.join(in_short(each) for each, _ in signals)}, for "
        f"{counted(len(patients), 'site')} with {sum(patients):,} training patients at epsilon "
        f"{study.privacy.epsilon:g}: {signal.numbers:,} numbers, of which the signal is expected "
        f"to be {signal.ratio:.2g} times the noise."
    )
    reason += _rate_in_words(study)
    outlook = replace(
        outlook, reason=reason, agreement=signal.agreement if outlook.agreement else 0.0
    )
    return suited_study(replace(study, trainable=trainable, outlook=outlook))


def suited_study(study: Study) -> Study:
    """Give what trains the clip norm and rate that suit it, where the study has the defaults.

    Another optimizer than :data:`RATES_ARE_OF` keeps the study's rate: how long a step is differs
    by orders of magnitude between them.
    """
    if study.trainable.subset not in SUITED:
        return study
    clip_norm, rate = SUITED[study.trainable.subset]
    privacy, local, usual = study.privacy, study.local, load_study()
    if privacy.clip_norm == usual.privacy.clip_norm:
        privacy = replace(privacy, clip_norm=clip_norm)
    if local.learning_rate == usual.local.learning_rate and local.optimizer == RATES_ARE_OF:
        local = replace(local, learning_rate=rate)
    return replace(study, privacy=privacy, local=local)


def _rate_in_words(study: Study) -> str:
    """Say that no rate is recommended, where the study's optimizer is not that of the rates."""
    local = study.local
    if local.optimizer == RATES_ARE_OF or local.learning_rate != load_study().local.learning_rate:
        return ""
    return (
        f" The learning rate stays {local.learning_rate:g} (local.learning_rate), which nothing "
        f"here recommends: rates were measured with {RATES_ARE_OF}, and the study's optimizer is "
        f"{local.optimizer}."
    )


def strongest(signals: Sequence[tuple[Way, Signal]]) -> tuple[Way, Signal]:
    """Return what trains most among all with signal enough, else what has the strongest one."""
    clear = [each for each in signals if each[1].ratio >= ENOUGH]
    if clear:
        return max(clear, key=lambda each: each[1].numbers)
    return max(signals, key=lambda each: each[1].ratio)


def in_short(trainable: TrainableSettings) -> str:
    """Name what trains, with its rank."""
    subset = trainable.definite_subset
    return f"lora of rank {trainable.lora_rank}" if subset == "lora" else subset


def _signal(study: Study, sites: Sequence[int], numbers: int, agreement: float) -> Signal:
    return study_signal(
        study.privacy,
        rounds=study.federation.rounds,
        local_steps=study.local.steps,
        statistics=study.warm_up.enabled,
        patients=sites,
        numbers=numbers,
        agreement=agreement,
    )


def _ways(own: TrainableSettings) -> Iterator[TrainableSettings]:
    """Yield what else could train, from few numbers to many."""
    for subset in FEW:
        yield replace(own, subset=subset)
    for rank in _RANKS:
        yield replace(own, subset="lora", lora_rank=rank)
    for subset in MANY:
        yield replace(own, subset=subset)


def _other(
    own: Signal, trainable: TrainableSettings, other: TrainableSettings, base: Generator
) -> Signal:
    """Return the signal of another subset; agreements differ as they typically do."""
    scale = agreement_of(other.subset) / agreement_of(trainable.subset)
    return own.of_numbers(count_trainable(base, other), own.agreement * scale)


def _choices(
    own: TrainableSettings, base: Generator, own_signal: Signal, before: tuple[str, ...] = ()
) -> Iterator[Choice]:
    """Yield a study with other subsets."""
    for each in _ways(own):
        if each == own:
            continue
        signal = _other(own_signal, own, each, base)
        settings = [f"trainable.subset={each.subset}"] if each.subset != own.subset else []
        if each.subset == "lora":
            settings.append(f"trainable.lora_rank={each.lora_rank}")
        yield Choice(settings=(*before, *settings), signal=signal)


def _joint(study: Study, sites: Sequence[int], base: Generator, own: Signal) -> Iterator[Choice]:
    """Yield the study with joint noise, with what it trains and with other subsets."""
    if study.privacy.sum == "joint" or len(sites) < study.privacy.min_sites:
        return
    rounds = study.federation.rounds * study.local.steps
    joint = replace(
        study,
        privacy=replace(study.privacy, sum="joint", min_sites=len(sites)),
        local=replace(study.local, steps=1),
        federation=replace(study.federation, rounds=rounds),
    )
    settings = (
        "privacy.sum=joint",
        f"privacy.min_sites={len(sites)}",
        "local.steps=1",
        f"federation.rounds={rounds}",
    )
    signal = _signal(joint, sites, own.numbers, own.agreement)
    yield Choice(settings=settings, signal=signal)
    yield from _choices(study.trainable, base, signal, settings)
