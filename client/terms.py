"""A study's terms as a site understands them: typed, in range, and nothing beyond."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import ProtocolError
from ..federation.about import AboutSettings
from ..federation.protocol import RoundRequest
from ..federation.wire import Form
from ..imaging.settings import DataSettings
from ..model.settings import TrainableSettings, VocabularySettings
from ..privacy.settings import PrivacySettings
from .settings import LocalSettings


@dataclass(frozen=True, kw_only=True)
class StudyTerms:
    """The sections of a study that bind a site, the form of its updates, and what it is for."""

    trainable: TrainableSettings
    privacy: PrivacySettings
    data: DataSettings
    local: LocalSettings
    wire: Form
    vocabulary: VocabularySettings = field(default_factory=VocabularySettings)
    about: AboutSettings = field(default_factory=AboutSettings)

    @classmethod
    def from_request(cls, request: RoundRequest) -> StudyTerms:
        """Read a request's terms; raises like :meth:`from_texts`."""
        return cls.from_texts(request.terms)

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> StudyTerms:
        """Read terms: a JSON text for each section.

        Raises:
            ProtocolError: If a section is missing or unknown, or a value is unknown, of a wrong
                type or out of range; names the section and the setting.
        """
        if set(texts) - _OPTIONAL != set(_ADAPTERS) - _OPTIONAL:
            raise ProtocolError(
                f"The terms must be exactly {', '.join(sorted(_ADAPTERS))}; these may be left "
                f"out: {', '.join(sorted(_OPTIONAL))}."
            )
        sections: dict[str, Any] = {}
        for name, text in texts.items():
            try:
                sections[name] = _ADAPTERS[name].validate_json(text, strict=True)
            except ValidationError as failure:
                where = sorted({".".join(map(str, one["loc"])) for one in failure.errors()})
                raise ProtocolError(f"The term {name} is wrong in: {', '.join(where)}.") from None
        return cls(**sections)


_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    "trainable": TypeAdapter(TrainableSettings),
    "privacy": TypeAdapter(PrivacySettings),
    "data": TypeAdapter(DataSettings),
    "local": TypeAdapter(LocalSettings),
    "wire": TypeAdapter(Form),
    "vocabulary": TypeAdapter(VocabularySettings),
    "about": TypeAdapter(AboutSettings),
}
#: Sent only where they are not the default, so that an older study's terms stay what they were.
_OPTIONAL = {"vocabulary", "about"}
