"""What a study asks a site to run, and whether the site's policy allows it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import PrivacyError
from ..privacy.mechanism import SubsampledGaussian
from ..privacy.settings import PrivacySettings
from .policy import BURNED_IN, SitePolicy


@dataclass(frozen=True, kw_only=True)
class ProposedStep:
    """One step at a site, of many that are alike.

    Attributes:
        mechanism: Noise, sampling and number of steps; ``None`` without privacy.
        clip_norm: Largest norm of one patient's contribution.
        patients: Patients that the step would draw from. Private: it stays in this process.
        burned_in: How images with text in their pixels are set aside.
        captions: What images are told by: ``words``, or ``text`` for reports besides.
        subset: Which parameters are trained; ``None`` where nothing is, as for statistics.
        joint: The study's terms of privacy, where only a sum over many sites leaves; the
            mechanism's noise is then the site's own part of it.
    """

    mechanism: SubsampledGaussian | None
    clip_norm: float
    patients: int
    burned_in: str
    captions: str = "words"
    subset: str | None = None
    joint: PrivacySettings | None = None


def check_step(policy: SitePolicy, step: ProposedStep) -> None:
    """Refuse a step that the site does not allow.

    Args:
        policy: What the site allows.
        step: The step.

    Raises:
        PrivacyError: Names everything about the step that is not allowed. Only its code
            may leave the site.
    """
    problems = [*_privacy_problems(policy, step), *_other_problems(policy, step)]
    if problems:
        raise PrivacyError(
            f"The site's policy does not allow this step: {'; '.join(problems)}.",
            hint="Nothing was run or spent. The study can ask for less, or the site can "
            "change its policy.",
        )


def _privacy_problems(policy: SitePolicy, step: ProposedStep) -> list[str]:
    mechanism = step.mechanism
    if mechanism is None:
        return [] if policy.allow_non_private else ["it has no privacy"]
    problems = []
    if mechanism.noise_multiplier < policy.min_noise_multiplier:
        problems.append(
            f"noise multiplier {mechanism.noise_multiplier:g} is below "
            f"{policy.min_noise_multiplier:g}"
        )
    if step.subset is not None and mechanism.sample_rate > policy.max_sample_rate:
        problems.append(
            f"sample rate {mechanism.sample_rate:g} is above {policy.max_sample_rate:g}"
        )
    if mechanism.steps > policy.max_steps_per_round:
        problems.append(f"{mechanism.steps} steps are more than {policy.max_steps_per_round}")
    # Written so that a clip norm that is no number fails it too.
    if not 0 < step.clip_norm <= policy.max_clip_norm:
        problems.append(f"clip norm {step.clip_norm:g} is above {policy.max_clip_norm:g}")
    return [*problems, *_joint_problems(policy, step.joint)]


def _joint_problems(policy: SitePolicy, terms: PrivacySettings | None) -> list[str]:
    if terms is None:
        return []
    problems = []
    if terms.min_sites < policy.min_sites:
        problems.append(f"a sum of {terms.min_sites} sites is of fewer than {policy.min_sites}")
    if terms.most_colluding < policy.max_colluding_sites:
        problems.append(
            f"it withstands {terms.most_colluding} other sites that work with the coordinator, "
            f"not {policy.max_colluding_sites}"
        )
    return problems


def _other_problems(policy: SitePolicy, step: ProposedStep) -> list[str]:
    problems = []
    if step.patients < policy.min_patients:
        problems.append(f"there are fewer than {policy.min_patients} patients to train on")
    if step.subset is not None and step.subset not in policy.allowed_subsets:
        problems.append(f"{step.subset!r} is not among {', '.join(policy.allowed_subsets)}")
    if step.captions != "words" and not policy.allow_free_text:
        problems.append("it trains on reports (free text), which allow_free_text forbids")
    if step.burned_in not in BURNED_IN[BURNED_IN.index(policy.burned_in) :]:
        problems.append(f"burned-in text needs {policy.burned_in}, not {step.burned_in!r}")
    return problems
