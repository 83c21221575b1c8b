"""An invitation names exactly what the coordinator's requests will ask for."""

from __future__ import annotations

import json

import pytest
from fedscan.config.study import load_study
from fedscan.errors import ProtocolError
from fedscan.federation.invitation import Invitation
from fedscan.server.terms import site_terms, study_at_site
from hypothesis import given
from hypothesis import strategies as st

BASE = "ab" * 32


def invitation() -> Invitation:
    study = load_study()
    return Invitation(
        name=study.name, rounds=study.federation.rounds, base=BASE, terms=site_terms(study)
    )


def test_its_digest_is_that_of_the_studys_requests():
    assert invitation().digest == study_at_site(load_study(), BASE)


def test_it_survives_its_file():
    read = Invitation.from_json(invitation().to_json())
    assert read.digest == invitation().digest
    assert read.name == "study"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("protocol", 0),
        ("name", "../x"),
        ("rounds", 0),
        ("rounds", True),
        ("rounds", "8"),
        ("base", "ab"),
        ("terms", {"privacy": 1}),
        ("terms", []),
    ],
)
def test_a_wrong_value_is_refused(key, value):
    content = {**json.loads(invitation().to_json()), key: value}
    with pytest.raises(ProtocolError):
        Invitation.from_json(json.dumps(content).encode())


@given(st.binary(max_size=300))
def test_anything_else_is_refused(content):
    with pytest.raises(ProtocolError):
        Invitation.from_json(content)
