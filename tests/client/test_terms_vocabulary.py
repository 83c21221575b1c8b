"""A study's words travel in its terms, typed and in bounds; older terms have none."""

from __future__ import annotations

import json

import pytest
from fedscan.client.terms import StudyTerms
from fedscan.config.study import Study, load_study
from fedscan.errors import ConfigurationError, ProtocolError
from fedscan.model.settings import VocabularySettings
from fedscan.server.terms import site_terms


def test_words_travel_as_they_were_written():
    study = load_study(None, ['vocabulary.findings=[{word="chordoma", codes=["ICD10:C41.2"]}]'])
    assert StudyTerms.from_texts(site_terms(study)).vocabulary == study.vocabulary


def test_a_study_without_words_of_its_own_has_the_terms_of_before():
    terms = site_terms(Study())
    assert "vocabulary" not in terms
    assert StudyTerms.from_texts(terms).vocabulary == VocabularySettings()


@pytest.mark.parametrize(
    "vocabulary",
    [
        {"start": "all"},
        {"findings": [{"word": "a, b"}]},
        {"findings": [{"word": "Doe^Jane"}]},
        {"findings": [{"word": "a", "copy": "PatientName"}]},
        {"findings": [{"word": "a", "within": "chest"}]},
        {"findings": "all"},
    ],
)
def test_words_that_cannot_be_are_refused_at_the_site(vocabulary):
    terms = site_terms(Study()) | {"vocabulary": json.dumps(vocabulary)}
    with pytest.raises(ProtocolError, match="The term vocabulary is wrong in"):
        StudyTerms.from_texts(terms)


def test_too_many_words_are_refused_before_anybody_is_asked():
    names = ", ".join(f'"{"x" * 50} {number}"' for number in range(30))
    rows = ", ".join(f'{{word="w{number}", names=[{names}]}}' for number in range(60))
    study = load_study(None, [f"vocabulary.findings=[{rows}]"])
    with pytest.raises(ConfigurationError, match="vocabulary of the study takes"):
        site_terms(study)
