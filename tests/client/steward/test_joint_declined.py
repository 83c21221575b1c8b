"""A joint study that is declined: its keys are erased, as at a study's end, whatever dies."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from deaths import dies_at_write
from fedscan.client.daemon.overview import overview
from fedscan.client.declining import decline_study
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.data_sets import Registry
from fedscan.client.steward.proposal import propose
from fedscan.common.audit import AuditLog, verify
from fedscan.errors import ConfigurationError, StudyOverError
from fedscan.federation.invitation import Invitation
from fedscan.federation.joint.roster import ROSTER
from fedscan.privacy.ledger.view import LedgerView
from joint_sites import JointSite, is_ready, joint_site, part_of
from tiny_generators import save_tiny_generator

WHY = "the words are not those of the others"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_generator(tmp_path_factory.mktemp("base"))


@pytest.fixture
def site(tmp_path: Path, base: Path) -> JointSite:
    """A site that gave its keys for a joint study, whose invitation waits."""
    made = joint_site(tmp_path, base, "privacy.clip_norm=1.0", "privacy.draws_per_patient=1")
    Approvals(made.home).take_in(made.invitation.to_json())
    return made


def decline(site: JointSite) -> None:
    decline_study(site.home, site.invitation, WHY)


def key_files(site: JointSite) -> list[Path]:
    return [*site.keys.glob("*.key"), *(site.keys / "pairs").glob("*.json")]


def private_key(site: JointSite) -> bytes:
    (key,) = site.keys.glob("*.key")
    return bytes.fromhex(json.loads(key.read_bytes())["x25519"])


def require_nowhere(site: JointSite, secret: bytes) -> None:
    for path in site.home.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert secret not in content, path
            assert secret.hex().encode() not in content, path


def erased_on_record(site: JointSite) -> list[object]:
    verify(site.home.audit)
    entries = AuditLog(site.home.audit).entries()
    return [one.facts for one in entries if one.event == "keys-erased"]


def smaller_of(site: JointSite) -> Invitation:
    """The site's study with one site less: another one, of the same draft and keys."""
    roster = site.make_roster()
    members = tuple(member for member in roster.members if member.site != "west")
    smaller = replace(roster, members=members).to_text()
    return replace(site.invitation, terms={**site.terms, ROSTER: smaller})


def test_keys_of_a_declined_study_are_erased_and_it_is_on_record(site: JointSite) -> None:
    secret = private_key(site)
    decline(site)
    require_nowhere(site, secret)
    assert key_files(site) == []
    assert erased_on_record(site) == [{"study": site.invitation.digest, "by": "steward"}]
    assert [one.reason for one in overview(site.home).declined] == [WHY]


def test_it_is_given_no_keys_and_cannot_be_approved_any_more(site: JointSite) -> None:
    decline(site)
    assert site.ask(site.draft.to_records(), "query.study_key").code == "study-over"
    assert site.begin(site.request()).code == "not-approved"
    assert key_files(site) == []
    with pytest.raises(StudyOverError, match="keys are erased"):
        propose(site.home, site.invitation, Registry(site.home).get("chest"))


def test_parts_of_a_study_that_was_approved_before_are_erased_with_its_keys(
    site: JointSite,
) -> None:
    site.approve()
    assert is_ready(site.begin(site.request()))
    part_of(site.ask(site.reveal(site.request()).to_records(), "query.reveal"))
    (part,) = site.sums.glob("*.sum")
    secrets = [private_key(site), part.read_bytes()[-64:]]
    Approvals(site.home).withdraw(site.invitation.digest)
    decline(site)
    for secret in secrets:
        require_nowhere(site, secret)
    assert not site.sums.exists()
    view = LedgerView.read(site.state / "ledger")
    assert not view.book.completed_before(len(view.entries))


def test_keys_that_an_approved_study_goes_by_stay(site: JointSite) -> None:
    site.approve()
    smaller = smaller_of(site)
    assert smaller.digest != site.invitation.digest
    decline_study(site.home, smaller, WHY)
    assert is_ready(site.begin(site.request()))
    assert erased_on_record(site) == []


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"{")])
def test_nothing_is_erased_while_what_an_approved_study_is_about_cannot_be_read(
    site: JointSite, damage: Callable[[Path], object]
) -> None:
    site.approve()
    other, files = smaller_of(site), key_files(site)
    kept = site.home.invitations / f"{site.invitation.digest}.json"
    damage(kept)
    with pytest.raises(ConfigurationError, match="cannot be read") as refused:
        decline_study(site.home, other, WHY)
    assert site.invitation.digest[:12] in refused.value.hint
    assert key_files(site) == files
    assert overview(site.home).declined == ()
    assert "study-declined" not in [one.event for one in AuditLog(site.home.audit).entries()]
    site.approve()  # as the hint says
    decline_study(site.home, other, WHY)
    assert is_ready(site.begin(site.request()))
    assert erased_on_record(site) == []


def test_once_the_unreadable_study_s_approval_is_taken_back_the_other_is_declined(
    site: JointSite,
) -> None:
    site.approve()
    (site.home.invitations / f"{site.invitation.digest}.json").write_bytes(b"{")
    Approvals(site.home).withdraw(site.invitation.digest)  # as the hint says
    decline_study(site.home, smaller_of(site), WHY)
    assert key_files(site) == []


def test_declining_a_study_that_names_another_one_s_roster_erases_nothing_of_that(
    site: JointSite,
) -> None:
    site.approve()
    assert is_ready(site.begin(site.request()))
    files = key_files(site)
    stranger = replace(site.invitation, rounds=site.invitation.rounds + 1)
    decline_study(site.home, stranger, WHY)
    assert key_files(site) == files
    assert len(files) == 2


def test_a_study_that_is_declined_before_it_has_a_roster_leaves_no_key(site: JointSite) -> None:
    draft = Invitation(
        name="lungs", rounds=site.draft.rounds, base=site.draft.base, terms=site.draft.terms
    )
    decline_study(site.home, draft, WHY)
    assert key_files(site) == []


def test_whenever_it_dies_a_study_that_is_shown_as_declined_has_no_keys(
    site: JointSite, tmp_path: Path
) -> None:
    secret, before = private_key(site), tmp_path / "before"
    shutil.copytree(site.home.folder, before)
    for number in itertools.count(1):
        shutil.rmtree(site.home.folder)
        shutil.copytree(before, site.home.folder)
        is_dead = dies_at_write(number, lambda: decline(site))
        if overview(site.home).declined:
            require_nowhere(site, secret)
        elif is_dead:
            assert [one.digest for one in Approvals(site.home).pending()] == [
                site.invitation.digest
            ]
        decline(site)
        require_nowhere(site, secret)
        assert key_files(site) == []
        assert Approvals(site.home).pending() == []
        verify(site.home.audit)
        if not is_dead:
            break
    assert number > 10
