"""A site in a joint study: what it gives to a coordinator of any intent, and what it pays."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fedscan.client.policy import load_policy, write_policy
from fedscan.common.audit import AuditLog, verify
from fedscan.federation.joint.keys import StudyKey
from fedscan.federation.pki.keys import new_key
from fedscan.federation.protocol import RoundRequest
from fedscan.federation.wire import unpack
from flwr.app import ConfigRecord
from joint_sites import JointSite, is_ready, joint_site, part_of
from scipy import stats
from site_homes import begin_anew, purposes
from tiny_generators import save_tiny_generator


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_generator(tmp_path_factory.mktemp("base"))


@pytest.fixture
def site(tmp_path: Path, base: Path) -> JointSite:
    """A site that has approved a joint study of four."""
    settings = ("privacy.clip_norm=1.0", "privacy.draws_per_patient=1", "privacy.spare_attempts=2")
    made = joint_site(tmp_path, base, *settings)
    made.approve()
    return made


def _kept(site: JointSite, request: RoundRequest) -> np.ndarray:
    return unpack((site.sums / f"{request.digest()}.sum").read_bytes())["sum"]


def test_a_part_leaves_under_masks_only_and_is_paid_for_once(site: JointSite) -> None:
    request = site.request()
    ready = site.begin(request)
    assert is_ready(ready)
    assert purposes(site.home) == ["round 1 attempt 1"]
    file = site.sums / f"{request.digest()}.sum"
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (
        0o600,
        0o700,
    )
    reveal = site.reveal(request)
    part = part_of(site.ask(reveal.to_records(), "query.reveal"))
    own = _kept(site, request)
    assert stats.chisquare(np.bincount(part.view(np.uint8), minlength=256)).pvalue > 1e-6
    assert abs(np.corrcoef(part.astype(float), own.astype(float))[0, 1]) < 0.1
    np.testing.assert_array_equal(site.without_masks(part, reveal, ready), own)
    # Asked again, whatever became of what it keeps, it gives the same bytes and pays nothing.
    begin_anew()
    file.unlink()
    assert is_ready(site.begin(request))
    again = part_of(site.ask(reveal.to_records(), "query.reveal"))
    np.testing.assert_array_equal(part, again)
    assert purposes(site.home) == ["round 1 attempt 1"]
    verify(site.home.audit)
    last = AuditLog(site.home.audit).entries()[-1]
    assert (last.event, last.facts["members"]) == ("answered", ["east", "north", "south"])


def test_a_stricter_policy_opens_no_sum_of_too_few_and_pays_for_no_further_one(
    site: JointSite,
) -> None:
    request = site.request()
    assert is_ready(site.begin(request))
    # Of three sites two may collude now: that leaves one, and two were counted on.
    policy = load_policy(site.home.policy)
    write_policy(site.home.policy, replace(policy, max_colluding_sites=2))
    narrow = site.reveal(request).to_records()
    wide = site.reveal(request, ("east", "north", "south", "west")).to_records()
    assert site.ask(narrow, "query.reveal").code == "roster"
    part_of(site.ask(wide, "query.reveal"))
    begin_anew()
    assert site.begin(site.request(2)).code == "privacy"
    assert purposes(site.home) == ["round 1 attempt 1"]


def test_a_hostile_coordinator_gets_codes_and_masks(site: JointSite) -> None:
    first, second = site.request(1), site.request(2)
    reveal = site.reveal(first)
    wide = ("east", "north", "south", "west")
    assert site.ask(reveal.to_records(), "query.reveal").code == "roster"  # nothing was begun
    assert is_ready(site.begin(first))
    other_model = replace(first, tensors={n: v + 1 for n, v in first.tensors.items()})
    other_key = StudyKey.generate(site.draft.study(), "north", new_key()).public
    members = (site.roster.members[0], other_key, *site.roster.members[2:])
    other_keys = site.make_roster(members=members).to_text()
    changed = {n: bytes([v[0] ^ 1]) + v[1:] for n, v in reveal.encapsulations.items()}
    extra = reveal.to_records()
    extra["metrics"] = ConfigRecord({"send": "part"})

    def with_terms(**terms: str) -> RoundRequest:
        return replace(first, terms={**site.terms, **terms})

    def with_privacy(**values: object) -> str:
        return json.dumps({**json.loads(site.terms["privacy"]), **values})

    weaker = site.make_roster(minimum_share=0.01).to_text()
    asked = {
        "another model in the same attempt": (other_model, "roster"),
        "no attempt at all": (replace(first, attempt=0), "roster"),
        "every site its own noise": (with_terms(privacy=with_privacy(sum="local")), "protocol"),
        "no noise": (with_terms(privacy=with_privacy(enabled=False)), "protocol"),
        "an unmasked form": (with_terms(wire='"float32"'), "protocol"),
        "several steps": (with_terms(local='{"steps":2}'), "protocol"),
        "less noise of the others": (with_terms(roster=weaker), "not-approved"),
        "other keys for this site": (with_terms(roster=other_keys), "not-approved"),
        "a smaller least sum": (with_terms(privacy=with_privacy(min_sites=2)), "protocol"),
        "no roster": (replace(first, terms=dict(site.draft.terms)), "protocol"),
        "an earlier release's terms": (replace(first, rounds=9), "roster"),
    }
    codes = {}
    for name, (request, _) in asked.items():
        reply = site.begin(request)
        assert not reply.tensors, name
        codes[name] = reply.code
    assert codes == {name: code for name, (_, code) in asked.items()}

    opened = {
        "too few": (site.reveal(first, ["east", "north"]), "roster"),
        "alone": (site.reveal(first, ["north"]), "roster"),
        "without the site itself": (site.reveal(first, ["east", "south", "west"]), "roster"),
        "with an invented hospital": (site.reveal(first, [*wide, "invented"]), "roster"),
        "a changed secret": (replace(reveal, encapsulations=changed), "roster"),
        "a secret left out": (replace(reveal, encapsulations={}), "roster"),
        "a round that was never begun": (site.reveal(second), "roster"),
        "another attempt": (site.reveal(replace(first, attempt=2)), "roster"),
        "another request's part": (replace(reveal, message=other_model.digest()), "roster"),
        "the part as a later round's": (
            replace(reveal, request=replace(reveal.request, round=2)),
            "roster",
        ),
    }
    codes = {}
    for name, (message, _) in opened.items():
        reply = site.ask(message.to_records(), "query.reveal")
        assert not reply.tensors, name
        codes[name] = reply.code
    assert codes == {name: code for name, (_, code) in opened.items()}
    assert site.ask(extra, "query.reveal").code == "protocol"
    assert site.ask(first.to_records(), "query.reveal").code == "protocol"
    assert site.ask(site.request(0).to_records(), "query.composition").code == "privacy"

    honest = part_of(site.ask(reveal.to_records(), "query.reveal"))
    later = site.reveal(first, wide)
    assert site.ask(later.to_records(), "query.reveal").code == "roster"  # a second roster
    again = part_of(site.ask(reveal.to_records(), "query.reveal"))
    np.testing.assert_array_equal(honest, again)
    assert purposes(site.home) == ["round 1 attempt 1"]


def test_a_policy_that_asks_for_more_sites_holds_at_once(site: JointSite) -> None:
    request = site.request()
    assert is_ready(site.begin(request))
    policy = load_policy(site.home.policy)
    write_policy(site.home.policy, replace(policy, min_sites=4))
    assert site.ask(site.reveal(request).to_records(), "query.reveal").code == "roster"
    everybody = site.reveal(request, ["east", "north", "south", "west"])
    part_of(site.ask(everybody.to_records(), "query.reveal"))


def test_there_are_as_many_attempts_as_were_approved(site: JointSite) -> None:
    replies = [site.begin(site.request(1, attempt)).code for attempt in range(1, 8)]
    assert replies == ["ok"] * 6 + ["budget-exceeded"]
    assert len(purposes(site.home)) == 6


def test_the_statistics_are_one_sum_before_all_rounds(site: JointSite) -> None:
    request = site.request(0)
    ready = site.begin(request)
    assert is_ready(ready)
    assert purposes(site.home) == ["statistics attempt 1"]
    reveal = site.reveal(request)
    part = part_of(site.ask(reveal.to_records(), "query.reveal"))
    np.testing.assert_array_equal(site.without_masks(part, reveal, ready), _kept(site, request))
    # Once the training is planned with all that is left, nothing is counted any more.
    assert is_ready(site.begin(site.request(1)))
    assert site.begin(site.request(0, attempt=2)).code == "budget-exceeded"


def test_scans_that_changed_in_between_change_no_masked_byte(
    site: JointSite, tmp_path: Path
) -> None:
    request = site.request()
    assert is_ready(site.begin(request))
    reveal = site.reveal(request)
    part = part_of(site.ask(reveal.to_records(), "query.reveal"))
    # The part is lost, and a patient with it: what would be made now has the same masks.
    (site.sums / f"{request.digest()}.sum").unlink()
    for file in (tmp_path / "scans" / "chest").glob("0-*.dcm"):
        file.unlink()
    begin_anew()
    site.begin(request)
    reply = site.ask(reveal.to_records(), "query.reveal")
    assert not reply.tensors or np.array_equal(reply.tensors["sum"], part)


def test_keys_are_given_to_a_joint_study_before_it_is_approved_and_to_no_other(
    site: JointSite,
) -> None:
    again = site.ask(site.draft.to_records(), "query.study_key")
    assert json.loads(again.tensors["key"].tobytes()) == site.key.to_dict()
    assert site.key.identity
    with_roster = replace(site.draft, terms=site.terms)
    assert site.ask(with_roster.to_records(), "query.study_key").code == "protocol"
    local = {**site.draft.terms, "privacy": "{}"}
    assert site.ask(replace(site.draft, terms=local).to_records(), "query.study_key").code == (
        "protocol"
    )
    assert site.ask(site.request().to_records(), "query.study_key").code == "protocol"
    site.home.pause_file.touch()
    assert site.ask(site.draft.to_records(), "query.study_key").code == "paused"


def test_lost_or_foreign_keys_are_told_before_anything_is_paid(site: JointSite) -> None:
    (site.keys / f"{site.draft.study()}.key").rename(site.keys / "aside")
    assert site.begin(site.request()).code == "roster"
    assert not (site.state / "ledger").exists()
    readiness = replace(site.request(), tensors={}, attempt=0)
    assert site.ask(readiness.to_records(), "query.readiness").code == "roster"


def test_what_a_reveal_opens_is_not_written_anywhere_else(site: JointSite) -> None:
    request = site.request()
    site.begin(request)
    site.ask(site.reveal(request).to_records(), "query.reveal")
    own = _kept(site, request).tobytes()
    files = [path for path in site.home.folder.rglob("*") if path.is_file()]
    holders = [path for path in files if own[:64] in path.read_bytes()]
    assert holders == [site.sums / f"{request.digest()}.sum"]
