"""Keys and rosters: whose they are shows, and whatever is changed in them is noticed."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.errors import FedscanError, ProtocolError, RosterError
from fedscan.federation.joint.keys import PublicStudyKey, StudyKey
from fedscan.federation.joint.roster import ROSTER, Roster, without_roster
from fedscan.federation.joint.words import spoken
from fedscan.federation.pki.keys import new_key
from fedscan.federation.protocol import RoundRequest
from hypothesis import given
from hypothesis import strategies as st

STUDY = "5" * 64


def test_a_roster_is_read_as_it_was_written(make_roster: Callable[..., Roster]) -> None:
    roster = make_roster()
    again = Roster.from_text(roster.to_text())
    assert again == roster
    assert again.digest == roster.digest
    assert roster.names == ("east", "north", "south", "west")


def test_all_of_a_roster_is_in_its_digest_and_its_words(
    make_roster: Callable[..., Roster], keys: dict[str, StudyKey]
) -> None:
    roster = make_roster()
    other_key = StudyKey.generate(STUDY, "west", new_key()).public
    others = [
        make_roster(members=(*roster.members[:3], other_key)),
        make_roster(members=roster.members[:3]),
        make_roster(min_sites=2),
        make_roster(colluding_sites=2),
        make_roster(minimum_share=0.6),
        make_roster(clip_norm=0.1),
        make_roster(sample_rate=0.5),
        make_roster(steps=13),
        make_roster(spare_attempts=5),
    ]
    assert len({one.digest for one in (roster, *others)}) == 10
    words = {one.words for one in (roster, others[0], others[1])}
    assert len(words) == 3
    assert all(len(text.split()) == 6 for text in words)


def test_a_changed_key_is_not_its_identity_s_any_more(make_roster: Callable[..., Roster]) -> None:
    values = json.loads(make_roster().to_text())
    values["members"][0]["x25519"] = values["members"][1]["x25519"]
    with pytest.raises(RosterError, match="east"):
        Roster.from_text(json.dumps(values, sort_keys=True, separators=(",", ":")))


@pytest.mark.parametrize("name", ["x25519", "mlkem", "identity", "site", "study", "signature"])
def test_what_is_signed_cannot_be_changed(keys: dict[str, StudyKey], name: str) -> None:
    mine, other = keys["north"].public, StudyKey.generate("6" * 64, "east", new_key()).public
    with pytest.raises(FedscanError):
        PublicStudyKey.from_dict({**mine.to_dict(), name: getattr(other, name)})


def test_a_roster_of_other_keys_twice_or_out_of_order_is_refused(
    make_roster: Callable[..., Roster], keys: dict[str, StudyKey]
) -> None:
    members = make_roster().members
    with pytest.raises(ProtocolError):
        make_roster(members=members[::-1])
    with pytest.raises(ProtocolError):
        make_roster(members=(members[0], *members))
    with pytest.raises(RosterError):
        make_roster(members=(replace(members[0], study="6" * 64), *members[1:]))
    with pytest.raises(RosterError):
        make_roster(members=(replace(members[1], site="east"), *members[1:]))
    with pytest.raises(RosterError):
        make_roster(members=members[:2])


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", "[" * 10_000, '{"version": 1}'],
)
def test_nonsense_is_no_roster(text: str) -> None:
    with pytest.raises(ProtocolError):
        Roster.from_text(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 2),
        ("members", {}),
        ("members", [{}]),
        ("min_sites", True),
        ("min_sites", -1),
        ("steps", 1.5),
        ("clip_norm", 0),
        ("minimum_share", "0.7"),
        ("study", 5),
    ],
)
def test_a_wrong_value_is_refused(
    make_roster: Callable[..., Roster], name: str, value: object
) -> None:
    values = {**json.loads(make_roster().to_text()), name: value}
    with pytest.raises(ProtocolError):
        Roster.from_text(json.dumps(values, sort_keys=True, separators=(",", ":")))


def test_a_roster_has_one_form_only(make_roster: Callable[..., Roster]) -> None:
    text = make_roster().to_text()
    with pytest.raises(ProtocolError):
        Roster.from_text(text + " ")


def test_private_keys_are_the_owner_s_and_made_once(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "study.key"
    first = StudyKey.generate(STUDY, "north", new_key()).keep(path)
    second = StudyKey.generate(STUDY, "north", new_key()).keep(path)
    assert first == second == StudyKey.read(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RosterError):
        StudyKey.read(path)


def test_keys_are_made_for_the_study_without_its_roster() -> None:
    request = RoundRequest(round=1, rounds=2, base="0" * 64, terms={"a": "1"}, tensors={})
    with_roster = replace(request, terms={"a": "1", ROSTER: "{}"})
    assert without_roster(with_roster).study() == request.study()
    assert with_roster.study() != request.study()


@given(st.text("0123456789abcdef", min_size=64, max_size=64))
def test_words_can_be_spoken(digest: str) -> None:
    words = spoken(digest).split()
    assert len(words) == 6
    for word in words:
        assert [letter in "aiou" for letter in word] == [False, True, False, True, False]
