"""A study's terms as a site understands them: typed, in range, and nothing beyond."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from ..errors import ProtocolError, RosterError
from ..federation.about import AboutSettings
from ..federation.joint.roster import ROSTER, Roster, without_roster
from ..federation.outlook import OutlookSettings
from ..federation.protocol import RoundRequest
from ..federation.wire import SUM32, Form
from ..imaging.settings import DataSettings
from ..model.settings import TrainableSettings, VocabularySettings
from ..privacy.settings import PrivacySettings
from .settings import LocalSettings


@dataclass(frozen=True, kw_only=True)
class StudyTerms:
    """The sections of a study that bind a site, the form of its updates, and what it is for.

    What trains is a subset by name, never ``auto``: a site chooses nothing from its data.
    """

    trainable: TrainableSettings
    privacy: PrivacySettings
    data: DataSettings
    local: LocalSettings
    wire: Form | Literal["sum32"]
    vocabulary: VocabularySettings = field(default_factory=VocabularySettings)
    about: AboutSettings = field(default_factory=AboutSettings)
    outlook: OutlookSettings = field(default_factory=OutlookSettings)
    roster: Roster | None = None

    @property
    def is_joint(self) -> bool:
        """Whether the study sees no site's result, but only the sum of several."""
        return is_joint(self.privacy)

    @property
    def update_form(self) -> Form:
        """The form in which a site's own update leaves.

        Raises:
            ProtocolError: In a joint study, of which no site's own update leaves.
        """
        if self.wire == SUM32:
            raise ProtocolError("Of a joint study no site's own update leaves.")
        return self.wire

    def require_roster(self) -> Roster:
        """Return the roster of a joint study.

        Raises:
            RosterError: If the study has none.
        """
        if self.roster is None:
            raise RosterError("The study sums nothing jointly.")
        return self.roster

    @classmethod
    def from_request(cls, request: RoundRequest) -> StudyTerms:
        """Read a request's terms.

        Raises:
            ProtocolError: As :meth:`from_texts`.
            RosterError: If the roster is of another study or on other terms.
        """
        terms = cls.from_texts(request.terms)
        if terms.roster is not None:
            require_own(terms.roster, request, terms.privacy)
        return terms

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> StudyTerms:
        """Read terms: a JSON text for each section.

        Raises:
            ProtocolError: If a section is missing or unknown, or a value is unknown, of a wrong
                type or out of range; names the section and the setting.
            RosterError: If keys in a roster are shared, or not signed by their identity.
        """
        if set(texts) - _OPTIONAL != set(_ADAPTERS) - _OPTIONAL:
            raise ProtocolError(
                f"The terms must be exactly {', '.join(sorted(_ADAPTERS))}; these may be left "
                f"out: {', '.join(sorted(_OPTIONAL))}."
            )
        sections: dict[str, Any] = {}
        for name, text in texts.items():
            if name == ROSTER:
                sections[name] = Roster.from_text(text)
                continue
            try:
                sections[name] = _ADAPTERS[name].validate_json(text, strict=True)
            except ValidationError as failure:
                where = sorted({".".join(map(str, one["loc"])) for one in failure.errors()})
                raise ProtocolError(f"The term {name} is wrong in: {', '.join(where)}.") from None
        terms = cls(**sections)
        _require_whole(terms)
        return terms


def is_joint(privacy: PrivacySettings) -> bool:
    """Return whether a study with these terms sees only sums over several sites."""
    return privacy.enabled and privacy.sum == "joint"


def read_privacy(texts: Mapping[str, str]) -> PrivacySettings:
    """Read one section of terms alone, which need not be whole.

    Raises:
        ProtocolError: If it is missing or malformed.
    """
    try:
        settings: PrivacySettings = _ADAPTERS["privacy"].validate_json(
            texts.get("privacy", ""), strict=True
        )
    except ValidationError:
        raise ProtocolError("The term privacy is missing or wrong.") from None
    return settings


def require_own(roster: Roster, request: RoundRequest, privacy: PrivacySettings) -> None:
    """Refuse a roster that is not of this very study, or says other things of it than its terms.

    Raises:
        RosterError: If it is or does.
    """
    steps = request.rounds + privacy.spare_attempts
    roster_terms = (roster.min_sites, roster.colluding_sites, roster.clip_norm, roster.sample_rate)
    terms = (privacy.min_sites, privacy.most_colluding, privacy.clip_norm, privacy.sample_rate)
    if roster.study != without_roster(request).study():
        raise RosterError("The roster was made for another study.")
    if roster_terms != terms or (roster.steps, roster.spare_attempts) != (
        steps,
        privacy.spare_attempts,
    ):
        raise RosterError("The roster says other things of the study than its terms.")


def _require_whole(terms: StudyTerms) -> None:
    """Refuse terms that leave something open, or whose sums, roster and wire do not go together.

    Raises:
        ProtocolError: If they do not.
    """
    if terms.is_joint != (terms.wire == SUM32) or terms.is_joint != (terms.roster is not None):
        raise ProtocolError(
            "The terms of a joint study need a roster, and its sums travel as sum32.",
            hint="The coordinator makes the roster once the sites have given their keys; then it "
            "asks again, and writes a new invitation.",
        )
    if terms.trainable.subset == "auto":
        raise ProtocolError(
            "The term trainable.subset is auto, which a site does not choose.",
            hint="The coordinator chooses it when it submits the study.",
        )
    if terms.is_joint and terms.local.steps != 1:
        raise ProtocolError("A joint study takes one step a round: the term local.steps is not 1.")


_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    "trainable": TypeAdapter(TrainableSettings),
    "privacy": TypeAdapter(PrivacySettings),
    "data": TypeAdapter(DataSettings),
    "local": TypeAdapter(LocalSettings),
    "wire": TypeAdapter(Form | Literal["sum32"]),
    "vocabulary": TypeAdapter(VocabularySettings),
    "about": TypeAdapter(AboutSettings),
    "outlook": TypeAdapter(OutlookSettings),
}
#: Sent only where they are not the default, so that an older study's terms stay what they were.
_OPTIONAL = {"vocabulary", "about", "outlook", ROSTER}
