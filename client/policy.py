"""The site's own word: what it lets any study do with its patients, whatever the study asks.

The policy is a file that only the site writes. It is read before every step, and a step that
it does not allow is not run: a study can ask for less than the policy allows, never for more.
"""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from ..common.files import write_atomically
from ..common.toml_settings import read_settings, settings, write_toml
from ..errors import PausedError, PrivacyError
from ..model.settings import Subset

#: From the most permissive to the strictest, as in the study's data settings.
BURNED_IN = ("refuse_marked", "refuse_likely", "refuse_unstated")

_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_HEADING = """\
# What this site lets any study do with its patients. Only the site edits this file; a step
# that it does not allow is not run. It is read anew before every step.
"""
_HINT = "`python -m fedscan.client.policy` prints one with all settings explained."


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class SitePolicy:
    """What a site allows. The defaults suit a hospital that knows nothing about a study."""

    epsilon_ceiling: float = Field(
        default=8.0,
        gt=0,
        le=100,
        description="Privacy loss (epsilon) that the data set may spend in its whole life, over "
        "all studies. Raising it costs every patient in it; above 10 the promise is weak.",
    )
    delta: float = Field(
        default=1e-5,
        ge=1e-10,
        le=1e-2,
        description="Chance with which the promise may fail. Keep it well below one over the "
        "number of patients. A change holds for the past too: all that was spent is counted anew.",
    )
    collusion_ceiling: float = Field(
        default=20.0,
        gt=0,
        le=200,
        description="The same for studies whose noise all sites add together: what the data set "
        "may spend in its life if all other sites worked with the coordinator, or the cryptography "
        "fell. Where it is below epsilon_ceiling, that holds.",
    )
    max_colluding_sites: int = Field(
        default=1,
        ge=0,
        le=998,
        description="Other sites that may work with the coordinator without epsilon_ceiling being "
        "passed: a joint study planned for fewer is refused. A larger number holds for the past "
        "too: past joint sums are counted anew with less noise of the others.",
    )
    min_sites: int = Field(
        default=3,
        ge=3,
        le=1000,
        description="Fewest sites, this one included, in a sum that this site adds its part to.",
    )
    min_noise_multiplier: float = Field(
        default=0.3,
        ge=0,
        le=100,
        description="Least noise of a single step that this site adds, in units of the clip norm. "
        "The ceiling alone would let one step with hardly any noise spend it all.",
    )
    max_clip_norm: float = Field(
        default=10.0,
        gt=0,
        le=1000,
        description="Largest norm that one patient's contribution may have.",
    )
    max_sample_rate: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Largest chance of a patient to be drawn in a training step. Statistics, "
        "which draw everybody once, are not bound by it.",
    )
    max_steps_per_round: int = Field(
        default=1000, ge=1, le=100_000, description="Most training steps in one round."
    )
    min_patients: int = Field(
        default=20,
        ge=1,
        le=1_000_000,
        description="Fewest patients to train on. With fewer it takes no part, as all see.",
    )
    allowed_subsets: tuple[Subset, ...] = Field(
        default=("biases", "norms", "attention", "adapters", "lora"),
        min_length=1,
        description="Parts of the generator that may be trained here.",
    )
    burned_in: Literal["refuse_marked", "refuse_likely", "refuse_unstated"] = Field(
        default="refuse_likely",
        description="The least that must be set aside for text in the pixels: images marked so "
        "(refuse_marked), also ultrasound and secondary captures that do not state otherwise "
        "(refuse_likely), or all that do not state that they have none (refuse_unstated).",
    )
    weight: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="Weight that the site declares for its updates. Everybody sees it: never "
        "the number of patients. 0 declares the study's noised count of them.",
    )
    allow_non_private: bool = Field(
        default=False,
        description="Allow training without privacy. Only for comparison runs on data that "
        "needs no protection: such a step has no noise to limit and is in no ledger.",
    )
    max_update_norm: float = Field(
        default=100.0,
        gt=0,
        le=1e9,
        description="Largest Euclidean norm of an update that may leave: of the difference "
        "between the weights that came and the weights that go.",
    )
    release_composition: bool = Field(
        default=False,
        description="Whether the noised numbers of patients for a data card, where a study sets "
        "a share of its budget aside for them, may leave; else they stay in a file here.",
    )
    release_scores: bool = Field(
        default=False,
        description="Whether noised numbers of held-out patients may leave: how many a generator "
        "fits better than the base, and of how many it tells the finding. Each release is paid for "
        "by the data set's ledger, and made by `fedscan site evaluate --release`.",
    )
    allow_free_text: bool = Field(
        default=False,
        description="Whether studies may train on reports: on the free text that the table of a "
        "data set has of its images. A text is part of a patient's private data, like the pixels.",
    )
    data_sets: tuple[str, ...] = Field(
        default=(),
        description="Data sets that may be trained on, by the names of `fedscan site add-data`. "
        "None named: every one, each for the studies that were approved for it.",
    )
    hours: str = Field(
        default="",
        pattern=rf"^({_CLOCK}-{_CLOCK})?$",
        examples=["19:00-07:00"],
        description="Hours of the day, local time, at which a round may begin, such as "
        "19:00-07:00. A request at another time is answered with `paused`. Empty: always.",
    )
    cpu_threads: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Most processor threads that training uses; 0 for all of the machine.",
    )
    memory_gb: float = Field(
        default=0.0,
        ge=0,
        le=100_000,
        description="Most memory in GB (10^9 bytes) that training may take, each process of "
        "several devices; 0 for no limit. A round that needs more fails, and nothing leaves.",
    )
    allow_gpu: bool = Field(
        default=True, description="Whether training may use the machine's graphics processors."
    )

    @property
    def collusion_ceiling_in_force(self) -> float:
        """What may be spent by the site's own noise: never less than with everybody's."""
        return max(self.collusion_ceiling, self.epsilon_ceiling)

    def check_time(self, now: datetime) -> None:
        """Refuse to begin at this time of the day.

        Args:
            now: Local time.

        Raises:
            PausedError: If it is outside the site's hours.
        """
        if not self.hours:
            return
        begin, end = (time.fromisoformat(text) for text in self.hours.split("-"))
        clock = now.time()
        # Over midnight the hours are those that do not lie between end and begin.
        inside = begin <= clock < end if begin < end else clock >= begin or clock < end
        if not inside:
            raise PausedError(
                f"It is {clock:%H:%M}, and the site's hours are {self.hours}.",
                hint="The coordinator may ask again then, or the site can change `hours`.",
            )

    def check_data_set(self, name: str) -> None:
        """Refuse a data set that the policy does not name.

        Raises:
            PrivacyError: If it names others only.
        """
        if self.data_sets and name not in self.data_sets:
            raise PrivacyError(
                f"The site's policy does not allow training on the data set {name!r}.",
                hint="Add it to `data_sets` in policy.toml if it may be used.",
            )


def load_policy(path: Path) -> SitePolicy:
    """Read a site's policy.

    Raises:
        ConfigurationError: If the file is missing or not TOML, or a setting is unknown, of the
            wrong type or out of range; all of them are named.
    """
    return read_settings(SitePolicy, path, what="The site's policy", hint=_HINT)


def write_policy(path: Path, policy: SitePolicy) -> None:
    """Write a policy with its explanations; :func:`load_policy` reads it back."""
    write_atomically(path, policy_to_toml(policy).encode("utf-8"))


def policy_to_toml(policy: SitePolicy) -> str:
    """Return a policy as TOML, each setting below a comment that explains it."""
    values = TypeAdapter(SitePolicy).dump_python(policy, mode="json")
    return f"{_HEADING}\n{write_toml(settings(SitePolicy), lambda setting: values[setting.key])}"


if __name__ == "__main__":
    print(policy_to_toml(SitePolicy()), end="")
