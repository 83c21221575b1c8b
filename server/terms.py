"""What of a study is sent to the sites, and what identifies it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import TypeAdapter

from ..config.federation import PATIENCE
from ..config.study import Study
from ..errors import ConfigurationError
from ..federation.about import AboutSettings
from ..federation.fields import MAX_TERM
from ..federation.joint.roster import ROSTER
from ..federation.outlook import OutlookSettings
from ..federation.protocol import RoundRequest
from ..federation.wire import SUM32
from ..model.settings import VocabularySettings

#: Sections of a study that bind a site. It is sent these and the form of its updates, no others.
_TERMS = ("trainable", "privacy", "data", "local")
#: Settings that came after studies had begun, with what they were before: such a study keeps its
#: name at the sites, whose ledgers know it by the digest of its terms.
_LATER = {
    "captions": "words",
    "synthetic": "refuse",
    "frozen_weights": "float32",
    "lora_start": "by_rank",
    "sum": "local",
    "min_sites": 3,
    "colluding_sites": -1,
    "collusion_epsilon": 20.0,
    "spare_attempts": 4,
}
#: Sections that the trained tensors depend on.
_TRAINING = (*_TERMS, "vocabulary", "federation", "warm_up")


def is_joint(study: Study) -> bool:
    """Return whether a study sees only sums over several sites."""
    return study.privacy.enabled and study.privacy.sum == "joint"


def site_terms(study: Study, roster: str = "") -> dict[str, str]:
    """Return the sections that are sent, by name, as JSON.

    Args:
        study: The study.
        roster: A joint study's roster, once it has one.

    Raises:
        ConfigurationError: If the study's vocabulary is too large to be sent.
    """
    terms = {name: _as_json(getattr(study, name)) for name in _TERMS}
    # What trains is never left to a site.
    terms["trainable"] = _as_json(study.trainable.definite)
    terms["wire"] = json.dumps(SUM32 if is_joint(study) else study.federation.wire)
    if roster:
        terms[ROSTER] = roster
    if study.vocabulary != VocabularySettings():
        # Else a site has it from the base; and an older study's terms stay what they were.
        terms["vocabulary"] = _as_json(study.vocabulary)
        if (length := len(terms["vocabulary"])) > MAX_TERM:
            raise ConfigurationError(
                f"The vocabulary of the study takes {length} characters of {MAX_TERM}.",
                hint="Leave words out, or bring them with the base.",
            )
    if study.about != AboutSettings():
        terms["about"] = _as_json(study.about)
    if study.outlook != OutlookSettings():
        terms["outlook"] = _as_json(study.outlook)
    return terms


def study_at_site(study: Study, base: str, roster: str = "") -> str:
    """Return the digest under which the sites' ledgers know a study.

    Args:
        study: The study.
        base: Digest of the generator it starts from.
        roster: A joint study's roster.
    """
    terms = site_terms(study, roster)
    request = RoundRequest(
        round=1, rounds=study.federation.rounds, base=base, terms=terms, tensors={}
    )
    return request.study()


def training_digest(study: Study, base: str) -> str:
    """Return the digest of everything that the trained tensors depend on.

    A run can be resumed if it is the same; evaluation, name and patience may change.
    """
    content = {"base": base, **training_settings(study)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def earlier_training_digest(study: Study, base: str) -> str:
    """Return the same as earlier releases wrote it: with them patience could not change."""
    content = [
        base,
        site_terms(study),
        _as_json(study.federation),
        _as_json(study.warm_up),
        study.seed,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def training_settings(study: Study) -> dict[str, Any]:
    """Return the settings that the trained tensors depend on, by path.

    What sites were told that the study is for, and would learn, belongs to what they approved.
    """
    sections = {name: _plain(getattr(study, name)) for name in _TRAINING}
    sections["trainable"] = _plain(study.trainable.definite)
    if study.about != AboutSettings():
        sections["about"] = _plain(study.about)
    if study.outlook != OutlookSettings():
        sections["outlook"] = _plain(study.outlook)
    settings = {
        f"{section}.{key}": value
        for section, values in sections.items()
        for key, value in values.items()
        if section != "federation" or key not in PATIENCE
    }
    return {**settings, "seed": study.seed}


def patience_settings() -> list[str]:
    """Return the paths of the settings that may change when a run is resumed."""
    return [f"federation.{key}" for key in PATIENCE]


def other_settings(study: Study, earlier: Study) -> str:
    """Return in words what of a study's training is not as it was begun; empty if nothing."""
    before, now = training_settings(earlier), training_settings(study)
    return ", ".join(
        f"{path} is {now.get(path)}, not {before.get(path)}"
        for path in dict.fromkeys([*now, *before])
        if now.get(path) != before.get(path)
    )


def _as_json(section: Any) -> str:
    return json.dumps(_plain(section), sort_keys=True, separators=(",", ":"))


def _plain(section: Any) -> dict[str, Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(type(section))
    values: dict[str, Any] = adapter.dump_python(section, mode="json")
    return {key: value for key, value in values.items() if _LATER.get(key) != value}
