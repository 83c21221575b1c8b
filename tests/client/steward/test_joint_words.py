"""What a steward is told of a joint study: with whom, which words to compare, and both promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.client.answers.joint.pairs import study_key
from fedscan.client.policy import write_policy
from fedscan.client.site import study_keys
from fedscan.client.steward.data_sets import Registry
from fedscan.client.steward.home import SiteHome
from fedscan.client.steward.proposal import Proposal, propose
from fedscan.errors import PrivacyError, ProtocolError, RosterError
from fedscan.federation.joint.keys import StudyKey
from fedscan.federation.joint.roster import ROSTER, Roster
from fedscan.federation.protocol import RoundRequest
from fedscan.privacy.joint.plan import plan_joint
from fedscan.privacy.settings import PrivacySettings
from site_homes import OPEN, invitation_of

Make = Callable[..., RoundRequest]

JOINT = ("privacy.sum=joint", "privacy.epsilon=6", "privacy.min_sites=4", "privacy.sample_rate=0.5")
OTHERS = ("east", "south", "west")


@pytest.fixture
def draft(make_request: Make) -> RoundRequest:
    return make_request(*JOINT)


def with_roster(draft: RoundRequest, own: StudyKey) -> RoundRequest:
    privacy = PrivacySettings(**json.loads(draft.terms["privacy"]))
    members = [StudyKey.generate(draft.study(), name, None).public for name in OTHERS]
    members.append(own.public)
    roster = Roster(
        study=draft.study(),
        members=tuple(sorted(members, key=lambda member: member.site)),
        min_sites=privacy.min_sites,
        colluding_sites=privacy.most_colluding,
        minimum_share=plan_joint(privacy, draft.rounds).minimum_share,
        clip_norm=privacy.clip_norm,
        sample_rate=privacy.sample_rate,
        steps=draft.rounds + privacy.spare_attempts,
        spare_attempts=privacy.spare_attempts,
    )
    return replace(draft, terms={**draft.terms, ROSTER: roster.to_text()})


@pytest.fixture
def request_(home: SiteHome, draft: RoundRequest) -> RoundRequest:
    return with_roster(draft, study_key(study_keys(home.folder), draft.study(), "north", None))


def told(home: SiteHome, request: RoundRequest) -> Proposal:
    return propose(home, invitation_of(request), Registry(home).get("chest"))


def test_a_steward_is_told_with_whom_and_both_promises(
    home: SiteHome, request_: RoundRequest
) -> None:
    proposal = told(home, request_)
    facts, roster = dict(proposal.facts), Roster.from_text(request_.terms[ROSTER])
    assert "east, south, west" in facts["Together"]
    assert "at least 4 of these 4 sites" in facts["Together"]
    assert roster.words in facts["Compare"]
    assert "telephone" in facts["Compare"]
    assert "Epsilon 6:" in facts["Privacy"]
    assert "1 other site that may work with it" in facts["Privacy"]
    assert "Epsilon 20:" in facts["Privacy"]
    cost = proposal.cost
    assert cost is not None
    assert cost.collusion is not None
    assert cost.collusion.after > cost.after > 0
    for number in (cost.after, cost.ceiling, cost.collusion.after, cost.collusion.ceiling):
        assert f"{number:.3g}" in facts["Cost"]
    # What the first round takes of both, and what is taken before it.
    (_, once, once_alone), (_, first, first_alone), *_ = cost.by_round
    for number in (once, once_alone, first, first_alone):
        assert f"{number:.3g}" in facts["Cost"]
    assert "whole numbers, masked" in facts["Leaves"]
    assert "the number of patients" in facts["Leaves"]


def test_a_local_study_is_told_as_before(home: SiteHome, make_request: Make) -> None:
    facts = dict(told(home, make_request()).facts)
    assert not {"Together", "Compare"} & facts.keys()
    assert "collude" not in " ".join(facts.values())
    assert "worked together" not in " ".join(facts.values())


def test_another_roster_has_other_words(home: SiteHome, draft: RoundRequest) -> None:
    own = study_key(study_keys(home.folder), draft.study(), "north", None)
    texts = {dict(told(home, with_roster(draft, own)).facts)["Compare"] for _ in range(2)}
    assert len(texts) == 2


def test_a_draft_without_a_roster_cannot_be_approved(home: SiteHome, draft: RoundRequest) -> None:
    with pytest.raises(ProtocolError, match="need a roster"):
        told(home, draft)


def test_a_roster_with_another_key_for_this_site_is_refused(
    home: SiteHome, draft: RoundRequest
) -> None:
    study_key(study_keys(home.folder), draft.study(), "north", None)
    stranger = StudyKey.generate(draft.study(), "north", None)
    with pytest.raises(RosterError):
        told(home, with_roster(draft, stranger))


def test_the_policy_refuses_a_study_that_counts_on_more_sites(
    home: SiteHome, request_: RoundRequest
) -> None:
    for change, said in (
        ({"min_sites": 5}, "fewer than 5"),
        ({"max_colluding_sites": 2}, "not 2"),
        ({"min_noise_multiplier": 90.0, "max_clip_norm": 0.1}, "clip norm"),
    ):
        write_policy(home.policy, replace(OPEN, **change))
        with pytest.raises(PrivacyError, match=said):
            told(home, request_)


def test_what_the_data_set_cannot_pay_is_said_with_the_ceiling(
    home: SiteHome, request_: RoundRequest, tmp_path: Path
) -> None:
    write_policy(home.policy, replace(OPEN, epsilon_ceiling=0.02, collusion_ceiling=0.02))
    proposal = told(home, request_)
    assert "cannot pay" in dict(proposal.facts)["Cost"]
    assert proposal.cost.after is None
