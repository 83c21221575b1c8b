"""What of a study is sent to the sites, and what identifies it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import TypeAdapter

from ..config.study import Study
from ..errors import ConfigurationError
from ..federation.fields import MAX_TERM
from ..federation.protocol import RoundRequest
from ..model.settings import VocabularySettings

#: Sections of a study that bind a site. It is sent these and the form of its updates, no others.
_TERMS = ("trainable", "privacy", "data", "local")


def site_terms(study: Study) -> dict[str, str]:
    """Return the sections that are sent, by name, as JSON.

    Raises:
        ConfigurationError: If the study's vocabulary is too large to be sent.
    """
    terms = {name: _as_json(getattr(study, name)) for name in _TERMS}
    terms["wire"] = json.dumps(study.federation.wire)
    if study.vocabulary != VocabularySettings():
        # Else a site has it from the base; and an older study's terms stay what they were.
        terms["vocabulary"] = _as_json(study.vocabulary)
        if (length := len(terms["vocabulary"])) > MAX_TERM:
            raise ConfigurationError(
                f"The vocabulary of the study takes {length} characters of {MAX_TERM}.",
                hint="Leave words out, or bring them with the base.",
            )
    return terms


def study_at_site(study: Study, base: str) -> str:
    """Return the digest under which the sites' ledgers know a study.

    Args:
        study: The study.
        base: Digest of the generator it starts from.
    """
    rounds = study.federation.rounds
    request = RoundRequest(round=1, rounds=rounds, base=base, terms=site_terms(study), tensors={})
    return request.study()


def training_digest(study: Study, base: str) -> str:
    """Return the digest of everything that the trained tensors depend on.

    A run can be resumed if it is the same; evaluation and name may change.
    """
    content = [
        base,
        site_terms(study),
        _as_json(study.federation),
        _as_json(study.warm_up),
        study.seed,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


#: Settings that came after studies had begun, with what they were before: such a study keeps its
#: name at the sites, whose ledgers know it by the digest of its terms.
_LATER = {"captions": "words"}


def _as_json(section: Any) -> str:
    adapter: TypeAdapter[Any] = TypeAdapter(type(section))
    values = adapter.dump_python(section, mode="json")
    values = {key: value for key, value in values.items() if _LATER.get(key) != value}
    return json.dumps(values, sort_keys=True, separators=(",", ":"))
