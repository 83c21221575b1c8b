"""A study: everything that decides what a federation does, as one frozen value."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from ..client.settings import LocalSettings
from ..common.toml_settings import Setting, read_toml, settings, validated, write_toml
from ..evaluation.measures.settings import EvaluationSettings
from ..evaluation.settings import (
    CanarySettings,
    ExaminationSettings,
    FairnessSettings,
    MemorySettings,
)
from ..federation.about import AboutSettings
from ..federation.outlook import OutlookSettings
from ..imaging.settings import DataSettings
from ..model.settings import GeneratorSettings, TrainableSettings, VocabularySettings
from ..privacy.settings import PrivacySettings
from .federation import FederationSettings, WarmUpSettings
from .overrides import apply_overrides

Section = TypeVar("Section")

#: Sections and settings that there were not at first, and what these then were: with that a study
#: has the file and the digest that it had before.
_LATER_SECTIONS = {
    "vocabulary": VocabularySettings(),
    "about": AboutSettings(),
    "outlook": OutlookSettings(),
}
_LATER = {
    "data.captions": "words",
    "data.synthetic": "refuse",
    "trainable.frozen_weights": "float32",
    "trainable.lora_start": "by_rank",
    "privacy.sum": "local",
    "privacy.min_sites": 3,
    "privacy.colluding_sites": -1,
    "privacy.collusion_epsilon": 20.0,
    "privacy.spare_attempts": 4,
    "evaluation.local_noise": False,
    "examination.rare_class": "",
}


def _defaults(section: Callable[..., Section]) -> Section:
    """Make a section with all its defaults; it is frozen, so all studies may share it."""
    return section()


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class Study:
    """One federated training run; every field has a documented default."""

    name: str = Field(
        default="study", min_length=1, max_length=64, description="Name shown in reports and logs."
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=2**31 - 1,
        description="Seed of everything that is not private: initial weights, phantoms, gallery. "
        "The private noise comes from secrets of the sites instead.",
    )
    about: AboutSettings = _defaults(AboutSettings)
    outlook: OutlookSettings = _defaults(OutlookSettings)
    generator: GeneratorSettings = _defaults(GeneratorSettings)
    trainable: TrainableSettings = _defaults(TrainableSettings)
    vocabulary: VocabularySettings = _defaults(VocabularySettings)
    privacy: PrivacySettings = _defaults(PrivacySettings)
    data: DataSettings = _defaults(DataSettings)
    local: LocalSettings = _defaults(LocalSettings)
    federation: FederationSettings = _defaults(FederationSettings)
    warm_up: WarmUpSettings = _defaults(WarmUpSettings)
    evaluation: EvaluationSettings = _defaults(EvaluationSettings)
    examination: ExaminationSettings = _defaults(ExaminationSettings)
    memory: MemorySettings = _defaults(MemorySettings)
    canaries: CanarySettings = _defaults(CanarySettings)
    fairness: FairnessSettings = _defaults(FairnessSettings)

    @model_validator(mode="after")
    def _joint_sums(self) -> Study:
        if self.privacy.sum == "local":
            return self
        if not self.privacy.enabled:
            raise ValueError('privacy.sum = "joint" is for private studies: privacy.enabled = true')
        if self.local.steps != 1:
            raise ValueError(
                f'privacy.sum = "joint" takes one step a round, and local.steps = '
                f"{self.local.steps}: a second step would follow from a gradient that no noise of "
                "others protects; set local.steps = 1, and more federation.rounds"
            )
        return self


@functools.cache
def study_settings() -> tuple[Setting, ...]:
    """Return every setting of a study in the order of the file."""
    return tuple(settings(Study))


def load_study(path: Path | None = None, overrides: Sequence[str] = ()) -> Study:
    """Read a study from TOML and the command line.

    Args:
        path: TOML file; without one, all defaults hold.
        overrides: ``"section.key=value"`` texts; they win over the file, a later one over
            an earlier one.

    Raises:
        ConfigurationError: If the file is not TOML, or a setting is unknown, of the wrong
            type or out of range; all problems are named at once.

    >>> import fedscan
    >>> fedscan.load_study(None, ["privacy.epsilon=4", "federation.rounds=3"]).privacy.epsilon
    4.0
    """
    values = {}
    if path is not None:
        hint = "`fedscan config > study.toml` writes one with all defaults."
        values = read_toml(path, "The configuration", hint)
    texts = (setting.path for setting in study_settings() if setting.kind == "string")
    values = apply_overrides(values, overrides, texts)
    source = str(path) if path is not None else "The configuration"
    return validated(
        Study, values, source, hint="`fedscan config --markdown` explains every setting."
    )


def study_to_toml(study: Study) -> str:
    """Write a study as TOML with its documentation; :func:`load_study` reads it back."""
    values = _plain(study)

    def value_of(setting: Setting) -> Any:
        table = values[setting.section] if setting.section else values
        return table[setting.key]

    def is_comment(setting: Setting) -> bool:
        if setting.section in _LATER_SECTIONS:
            return bool(getattr(study, setting.section) == _LATER_SECTIONS[setting.section])
        return setting.path in _LATER and value_of(setting) == _LATER[setting.path]

    return write_toml(study_settings(), value_of, is_comment)


def study_digest(study: Study) -> str:
    """Return the SHA-256 of a study's values, in hex: equal studies, equal digests."""
    values = _plain(study)
    for path, default in _LATER.items():
        section, _, key = path.partition(".")
        if values[section][key] == default:
            del values[section][key]
    for section, default_section in _LATER_SECTIONS.items():
        if getattr(study, section) == default_section:
            del values[section]
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(study: Study) -> dict[str, Any]:
    plain: dict[str, Any] = TypeAdapter(Study).dump_python(study, mode="json")
    return plain
