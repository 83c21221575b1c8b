"""What a study is for travels with it, and is part of what a steward approves."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fedscan.client.terms import StudyTerms
from fedscan.config.study import load_study, study_digest, study_to_toml
from fedscan.errors import ConfigurationError, ProtocolError
from fedscan.federation.about import AboutSettings
from fedscan.federation.invitation import Invitation
from fedscan.server.terms import other_settings, site_terms, study_at_site
from hypothesis import given
from hypothesis import strategies as st

BASE = "ab" * 32
SAID = ("about.purpose=Lung nodules on CT.", "about.contact=Dr Example, fl@example.org")


def invitation(*settings: str) -> Invitation:
    study = load_study(None, settings)
    return Invitation(name="lungs", rounds=2, base=BASE, terms=site_terms(study))


def test_a_site_reads_what_the_coordinator_says():
    read = Invitation.from_json(invitation(*SAID).to_json())
    about = StudyTerms.from_texts(read.terms).about
    assert about.purpose == "Lung nodules on CT."
    assert about.missing() == "ethics, retention, use"


def test_another_purpose_is_another_study_to_be_approved():
    assert invitation(*SAID).digest != invitation().digest
    assert invitation(*SAID, "about.purpose=Something else.").digest != invitation(*SAID).digest


def test_a_study_that_says_nothing_is_what_it_was_before():
    """Older invitations and ledgers know it by a digest that has no such section."""
    study = load_study()
    assert "about" not in site_terms(study)
    assert study_digest(study) == study_digest(replace(study, about=AboutSettings()))
    assert StudyTerms.from_texts(invitation().terms).about == AboutSettings()
    assert study_at_site(study, BASE) != study_at_site(load_study(None, SAID), BASE)


def test_what_is_said_cannot_change_under_way():
    begun, other = load_study(None, SAID), load_study()
    assert "about.purpose" in other_settings(other, begun)
    assert "about.purpose" in other_settings(begun, other)
    assert other_settings(begun, begun) == ""


def test_a_file_keeps_what_is_said(tmp_path):
    study = load_study(None, SAID)
    (tmp_path / "study.toml").write_text(study_to_toml(study), "utf-8")
    assert load_study(tmp_path / "study.toml") == study


@given(st.text(max_size=40))
def test_no_control_character_reaches_a_terminal(text: str):
    is_plain = not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in text)
    terms = {**invitation().terms, "about": json.dumps({"purpose": text})}
    if is_plain:
        assert StudyTerms.from_texts(terms).about.purpose == text
    else:
        with pytest.raises(ProtocolError, match="about"):
            StudyTerms.from_texts(terms)


def test_what_is_not_text_or_too_long_is_refused():
    with pytest.raises(ConfigurationError, match=r"about\.purpose"):
        load_study(None, ["about.purpose=" + "x" * 1001])
    with pytest.raises(ProtocolError):
        StudyTerms.from_texts({**invitation().terms, "about": '{"price": "none"}'})
