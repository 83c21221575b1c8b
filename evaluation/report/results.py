"""The content of ``results.json``: everything a report shows, as plain values.

Nothing in it is private at a real site except the evaluation, which compares with real
images: that part exists only where the images are at hand, in a simulation or at one site.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from ..measures.results import EvaluationResult, read_results

_CONFIG = ConfigDict(extra="forbid")
Finite = Annotated[float, Field(allow_inf_nan=False)]
Setting = bool | int | float | str | tuple[str, ...] | tuple[int, ...]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Mechanism:
    """A Poisson-subsampled Gaussian mechanism that a site ran.

    Attributes:
        purpose: What for, such as "training" or "statistics".
        sample_rate: Chance of each patient to take part in a step.
        noise_multiplier: Noise standard deviation over clip norm.
        steps: Steps each time.
        times: How often it was run alike, for example in every round.
        joint_noise_multiplier: The noise with that of all sites that are counted on, where only a
            sum over many sites left; ``None`` where the site's own noise was all.
    """

    purpose: str
    sample_rate: Finite
    noise_multiplier: Finite
    steps: int
    times: int = 1
    joint_noise_multiplier: Finite | None = None


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class SitePrivacy:
    """What a site's data set has spent, all rounds and runs composed.

    Attributes:
        epsilon: Spent, by the privacy loss distribution (PLD).
        epsilon_rdp: Cross-check by Rényi accounting; at least as large.
        epsilon_ceiling: What the site allows.
        delta: Chance that the promise fails.
        mechanisms: What was composed.
        collusion_epsilon: Spent if all other sites of joint sums worked together; ``None`` where
            nothing was summed jointly.
        collusion_ceiling: What the site allows of that.
    """

    epsilon: Finite
    epsilon_rdp: Finite | None = None
    epsilon_ceiling: Finite
    delta: Finite
    mechanisms: tuple[Mechanism, ...] = ()
    collusion_epsilon: Finite | None = None
    collusion_ceiling: Finite | None = None


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class SiteReport:
    """One site. Counts are private and known only in a simulation.

    Attributes:
        name: The site's name.
        train_patients: Patients trained on.
        holdout_patients: Patients held out.
        images: Images of all patients.
        set_aside: Files not used, by reason.
        privacy: What was spent; ``None`` if the run was not private.
    """

    name: str
    train_patients: int | None = None
    holdout_patients: int | None = None
    images: int | None = None
    set_aside: dict[str, int] = Field(default_factory=dict)
    privacy: SitePrivacy | None = None


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class SiteRound:
    """One site's part in one round.

    Attributes:
        round: Number of the round, from 1.
        site: The site's name.
        code: "ok" or what went wrong.
        update_norm: L2 norm of its update.
        cosine: Cosine between its update and the model's step.
        seconds: From request to answer.
        epsilon: Spent by its data set after this round.
        bytes_sent: Size of the request.
        bytes_received: Size of the answer.
    """

    round: int
    site: str
    code: str = "ok"
    update_norm: Finite = 0.0
    cosine: Finite = 0.0
    seconds: Finite = 0.0
    epsilon: Finite | None = None
    bytes_sent: int = 0
    bytes_received: int = 0


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class RoundStep:
    """What one round did to the model, by what costs no privacy.

    Attributes:
        round: Number of the round, from 1.
        loss_before: Loss on public images when it was last measured before; ``None`` if never.
        loss: The loss after it; ``None`` if it was not measured.
        worse: Whether it rose.
        movement: How far it moved the weights, as a share of their length; ``None`` if not known.
        step: The same for one step.
        far: Whether that is further than is good for what the base has learnt.
    """

    round: int
    loss_before: Finite | None = None
    loss: Finite | None = None
    worse: bool = False
    movement: Finite | None = None
    step: Finite | None = None
    far: bool = False


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class GeneratorInfo:
    """What was trained.

    Attributes:
        size: Name of the size.
        image_size: Side of the images in pixels.
        parameters: All parameters of the generator.
        trained_parameters: Those that moved.
        trained_subset: Name of the subset that moved.
        trained_reason: Why it was chosen, where it was left open.
        base: Name of the generator it started from.
        movement: How far the U-Net's weights that moved did, as a share of their length; ``None``
            where it was not measured.
    """

    size: str
    image_size: int
    parameters: int
    trained_parameters: int
    trained_subset: str
    base: str
    movement: Finite | None = None
    trained_reason: str = ""


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class RunResults:
    """Everything about one run.

    Attributes:
        schema: Version of this layout.
        fedscan: Version of fedscan that ran.
        name: Name of the study.
        study_digest: sha256 of the study.
        private: Whether training was differentially private.
        seconds: Wall-clock seconds of the federated training.
        generator: What was trained.
        sites: Who took part.
        rounds: Each site's part in each round.
        settings: All settings, by section.
        warm_up_groups: Groups whose noised mean images the warm-up used; ``None`` without one.
        evaluation: What was measured, if anything was.
        expected_signal: Length of what patients teach over that of the noise, as planned.
        measured_signal: The same by how the sites' updates agree with each other.
        steps: What each round did to the model.
        image: Digest of a small generation, which was the same before saving and after reloading.
    """

    schema: Literal[1] = 1
    fedscan: str
    name: str
    study_digest: str
    private: bool
    seconds: Finite
    generator: GeneratorInfo
    sites: tuple[SiteReport, ...]
    rounds: tuple[SiteRound, ...]
    settings: dict[str, dict[str, Setting]]
    warm_up_groups: int | None = None
    evaluation: EvaluationResult | None = None
    expected_signal: Finite | None = None
    measured_signal: Finite | None = None
    steps: tuple[RoundStep, ...] = ()
    image: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> RunResults:
        """Read what :meth:`to_dict` wrote.

        Raises:
            DataError: If a field is missing, unknown or of the wrong type.
        """
        return read_results(_ADAPTER, plain, what="run", hint="run the study again")


_ADAPTER = TypeAdapter(RunResults)
