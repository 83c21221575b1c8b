"""What a study would learn for its budget, before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..config.study import Study
from ..errors import ConfigurationError
from ..model.computing.memory import open_outline
from ..model.generator import Generator
from ..model.settings import TrainableSettings
from ..model.storage import load_generator
from ..model.trainable import count_trainable
from ..privacy.joint.plan import plan_joint
from ..privacy.planning import plan_mechanism
from ..privacy.settings import PrivacySettings
from ..privacy.signal import TYPICAL_AGREEMENT, Signal, expected_signal
from ..privacy.study_costs import once_mechanisms
from ..server.job import base_of
from .agreement import measured_agreement

#: Below this the noise is longer than the signal; from here on the signal is clear.
NOISE_BELOW, CLEAR_FROM = 1.0, 3.0
_RANKS = (1, 2, 4, 8)


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
        as_it_is: The study itself.
        choices: Other settings, the strongest signal first.
    """

    sites: tuple[int, ...]
    is_measured: bool
    as_it_is: Choice
    choices: tuple[Choice, ...]

    @property
    def recommendation(self) -> Choice | None:
        """What trains most among all that learn clearly; ``None`` if the study is as good.

        Where nothing learns clearly, what has the strongest signal.
        """
        everything = (self.as_it_is, *self.choices)
        clear = [each for each in everything if each.signal.ratio >= CLEAR_FROM]
        if clear:
            most = max(each.signal.numbers for each in clear)
            best = next(each for each in clear if each.signal.numbers == most)
        else:
            best = max(everything, key=lambda each: each.signal.ratio)
        return None if best is self.as_it_is else best

    @property
    def verdict(self) -> str:
        """One sentence on the study as it is."""
        signal = self.as_it_is.signal
        patients, numbers = f"{signal.patients:,.0f}", f"{signal.numbers:,}"
        if signal.ratio < NOISE_BELOW:
            return (
                f"With {patients} effective patients {numbers} trained numbers are noise: the "
                f"signal is {signal.ratio:.2g} of it. About {signal.learnable:,} can be learnt "
                "at most."
            )
        if signal.ratio < CLEAR_FROM:
            return (
                f"With {patients} effective patients {numbers} trained numbers can be learnt in "
                f"part: the signal is {signal.ratio:.2g} times the noise."
            )
        return (
            f"With {patients} effective patients {numbers} trained numbers can be learnt: the "
            f"signal is {signal.ratio:.2g} times the noise."
        )


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
    folder = base_of(study)
    agreement = measured_agreement(study, load_generator(folder)) if measure else TYPICAL_AGREEMENT
    base = open_outline(folder)
    own = count_trainable(base, study.trainable)
    signal = _signal(study.privacy, study, sites, own, agreement)
    return StudyPlan(
        sites=tuple(sites),
        is_measured=measure,
        as_it_is=Choice(settings=(), signal=signal),
        choices=_choices(study, sites, base, agreement, signal),
    )


def _signal(
    privacy: PrivacySettings, study: Study, sites: Sequence[int], numbers: int, agreement: float
) -> Signal:
    rounds = study.federation.rounds
    steps = rounds * (1 if privacy.sum == "joint" else study.local.steps)
    pooled_noise = plan_mechanism(
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        sample_rate=privacy.sample_rate,
        steps=steps,
        in_study=once_mechanisms(privacy, statistics=study.warm_up.enabled),
    ).noise_multiplier
    own = plan_joint(privacy, rounds).minimum_share if privacy.sum == "joint" else pooled_noise
    return expected_signal(
        sites,
        noise=[own] * len(sites),
        pooled_noise=pooled_noise,
        sample_rate=privacy.sample_rate,
        steps=steps,
        numbers=numbers,
        agreement=agreement,
    )


def _choices(
    study: Study, sites: Sequence[int], base: Generator, agreement: float, own: Signal
) -> tuple[Choice, ...]:
    """Other ranks and joint noise, the strongest signal first; agreement is taken to be alike."""
    sizes = {
        f"trainable.lora_rank={rank}": count_trainable(
            base, TrainableSettings(subset="lora", lora_rank=rank)
        )
        for rank in _RANKS
    }
    choices = [
        Choice(settings=_lora(study, name), signal=own.of_numbers(numbers))
        for name, numbers in sizes.items()
        if numbers != own.numbers
    ]
    if study.privacy.sum == "local" and len(sites) >= study.privacy.min_sites:
        joint = replace(study.privacy, sum="joint", min_sites=len(sites))
        rounds = study.federation.rounds * study.local.steps
        longer = replace(study, federation=replace(study.federation, rounds=rounds))
        signal = _signal(joint, longer, sites, own.numbers, agreement)
        settings = (
            "privacy.sum=joint",
            f"privacy.min_sites={len(sites)}",
            "local.steps=1",
            f"federation.rounds={rounds}",
        )
        choices.append(Choice(settings=settings, signal=signal))
        choices += [
            Choice(settings=(*settings, *_lora(study, name)), signal=signal.of_numbers(numbers))
            for name, numbers in sizes.items()
            if numbers != own.numbers
        ]
    return tuple(sorted(choices, key=lambda each: -each.signal.ratio))


def _lora(study: Study, rank: str) -> tuple[str, ...]:
    return (rank,) if study.trainable.subset == "lora" else ("trainable.subset=lora", rank)
