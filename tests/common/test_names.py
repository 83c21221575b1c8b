"""Names of sites, data sets and studies, and where they come in."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from fedscan.client.site import Site
from fedscan.common.names import is_name, require_name
from fedscan.errors import ConfigurationError, DataError, FederationError, ProtocolError
from fedscan.federation.invitation import Invitation
from fedscan.federation.pki.enrolment import Welcome
from fedscan.federation.protocol import RoundReply
from fedscan.simulation.sites import find_sites
from hypothesis import given
from hypothesis import strategies as st

FIRST = string.ascii_letters + string.digits
LATER = FIRST + "._-"
WRONG = ["", ".", "..", "../a", "a/b", "-a", "_a", "a" * 65, "a b", "ä", "a\n", "a\0", "１"]

names = st.builds(str.__add__, st.sampled_from(FIRST), st.text(st.sampled_from(LATER), max_size=63))


@given(names)
def test_a_name_can_be_a_file_of_its_folder(name):
    require_name(name, "a site")
    path = Path("/folder") / name
    assert path.name == name
    assert path.parent == Path("/folder")
    assert path.resolve() == path


@given(st.text(max_size=70))
def test_no_other_text_is_a_name(text):
    of_the_form = (
        0 < len(text) <= 64 and text[0] in FIRST and all(letter in LATER for letter in text)
    )
    assert is_name(text) == of_the_form


@given(st.one_of(st.none(), st.integers(), st.binary(), st.lists(st.text())))
def test_what_is_no_text_is_no_name(value):
    assert not is_name(value)


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("error", [ConfigurationError, DataError, FederationError])
def test_a_wrong_name_is_refused_in_words(name, error):
    with pytest.raises(error) as failure:
        require_name(name, "a data set", error)
    message = str(failure.value)
    assert repr(name) in message
    assert "a data set" in message
    assert "up to 64 letters" in message
    assert "[A-Za-z" not in message


@pytest.mark.parametrize("name", [one for one in WRONG if one and "/" not in one and one[0] != "."])
def test_every_door_refuses_a_wrong_name(name, tmp_path):
    with pytest.raises(ConfigurationError, match="node configuration"):
        Site.from_config({"site": name, "data": "/d", "state": "/s"})
    with pytest.raises(ProtocolError, match="name of a wrong form"):
        Invitation.from_json(Invitation(name=name, rounds=1, base="0" * 64, terms={}).to_json())
    with pytest.raises(FederationError, match="cannot be the name of a site"):
        Welcome.from_json(
            Welcome(
                site=name, coordinator="", authority="", certificate="", record_key=""
            ).to_json()
        )
    reply = RoundReply(site=name, request="", code="paused", weight=1.0, tensors={})
    with pytest.raises(ProtocolError, match="site must be a name"):
        RoundReply.from_records(reply.to_records())
    if "\0" not in name:
        (tmp_path / name).mkdir()
        with pytest.raises(DataError, match="cannot be the name of a site"):
            find_sites(tmp_path, tmp_path.parent / "state", tmp_path)


def test_a_site_that_does_not_know_its_name_may_answer():
    reply = RoundReply(site="", request="", code="configuration", weight=1.0, tensors={})
    assert RoundReply.from_records(reply.to_records()).site == ""
