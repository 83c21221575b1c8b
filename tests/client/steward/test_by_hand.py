"""What a steward does by hand: policies are on record, readable secrets are told and refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fedscan.client.daemon.service import serve
from fedscan.client.doctor import examine_site
from fedscan.client.policy import write_policy
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.client.steward.policy_log import EVENT, note_policies
from fedscan.client.steward.secrets import secrets_of
from fedscan.errors import FederationError
from fedscan.federation.protocol import RoundReply, RoundRequest
from site_homes import OPEN, invitation_of

Ask = Callable[..., RoundReply]
Make = Callable[..., RoundRequest]


def changes(home: SiteHome) -> list[tuple[str, list[str]]]:
    entries = [one for one in home.log.entries() if one.event == EVENT]
    return [(one.facts["data_set"], one.facts["changed"]) for one in entries]


def test_an_edited_policy_is_on_record_once_before_what_is_asked_under_it(
    home: SiteHome, ask: Ask, make_request: Make
) -> None:
    note_policies(home)
    assert changes(home) == [("", ["min_noise_multiplier", "min_patients"])]
    text = home.policy.read_text().replace("epsilon_ceiling = 8.0", "epsilon_ceiling = 9.5")
    home.policy.write_text(text)
    own = home.state("chest")
    own.mkdir(parents=True, exist_ok=True)
    write_policy(own / "policy.toml", replace(OPEN, hours="19:00-07:00"))
    ask(make_request())
    assert changes(home)[1:] == [
        ("", ["epsilon_ceiling"]),
        ("chest", ["hours", "min_noise_multiplier", "min_patients"]),
    ]
    events = [one.event for one in home.log.entries()]
    assert events.index("asked") > len(events) - 1 - events[::-1].index(EVENT)
    Approvals(home).approve(invitation_of(make_request()), "chest")
    assert len(changes(home)) == 3


def test_readable_secrets_stop_a_start_and_are_seen_by_doctor(
    home: SiteHome, ask: Ask, make_request: Make
) -> None:
    Approvals(home).approve(invitation_of(make_request()), "chest")
    assert ask(make_request()).code == "ok"
    secrets = secrets_of(home)
    assert {"TLS key", "node key", "identity of chest", "secrets of chest"} <= set(secrets)
    for name, path in secrets.items():
        mode = path.stat().st_mode
        path.chmod(0o755 if path.is_dir() else 0o644)
        with pytest.raises(FederationError, match="Others can read"):
            serve(home, patience_s=0, say=print)
        assert [one.check for one in examine_site(home.folder) if "Others can" in one.message] == [
            name
        ]
        path.chmod(mode & 0o777)


def test_doctor_sees_unknown_data_sets_and_weak_ceilings(home: SiteHome) -> None:
    def policy() -> str:
        return next(one.message for one in examine_site(home.folder) if one.check == "policy")

    write_policy(home.policy, replace(OPEN, data_sets=("chest", "chests")))
    assert "does not have: chests" in policy()
    write_policy(home.policy, replace(OPEN, epsilon_ceiling=40.0))
    assert "epsilon 40, promises little" in policy()
    write_policy(home.policy, OPEN)
    assert "is valid" in policy()
