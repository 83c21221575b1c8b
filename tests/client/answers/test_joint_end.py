"""The end of a joint study at a site: its keys are gone, and nothing can be unmasked any more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.client.answers.joint import erasing
from fedscan.client.daemon.overview import overview
from fedscan.client.data.identity import DatasetIdentity
from fedscan.client.study_end import end_study
from fedscan.common.audit import AuditLog, verify
from fedscan.errors import LedgerError
from fedscan.federation.protocol import STUDY_END, RoundReply
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.ledger.journal import LINES
from fedscan.privacy.ledger.view import LedgerView
from fedscan.privacy.mechanism import SubsampledGaussian
from joint_sites import JointSite, is_ready, joint_site, part_of
from site_homes import purposes
from tiny_generators import save_tiny_generator
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_generator(tmp_path_factory.mktemp("base"))


@pytest.fixture
def site(tmp_path: Path, base: Path) -> JointSite:
    """A site that has opened its part of the first sum of a joint study, and begun the second."""
    made = joint_site(tmp_path, base, "privacy.clip_norm=1.0", "privacy.draws_per_patient=1")
    made.approve()
    first = made.request()
    assert is_ready(made.begin(first))
    part_of(made.ask(made.reveal(first).to_records(), "query.reveal"))
    assert is_ready(made.begin(made.request(2)))
    return made


def _end(site: JointSite) -> RoundReply:
    return site.ask(site.request(0).to_records(), f"query.{STUDY_END}")


def _secrets(site: JointSite) -> list[bytes]:
    """Return everything by which a part could be seen without its masks."""
    (key,) = site.keys.glob("*.key")
    found = [bytes.fromhex(json.loads(key.read_bytes())["x25519"])]
    for pairs in (site.keys / "pairs").glob("*.json"):
        found += [bytes.fromhex(one[1]) for one in json.loads(pairs.read_bytes()).values()]
    found += [file.read_bytes()[-64:] for file in site.sums.glob("*.sum")]
    found.append(key.read_bytes()[-40:])
    return found


def _require_erased(site: JointSite, secrets: list[bytes]) -> None:
    for path in site.home.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for one in secrets:
                assert one not in content, path
                assert one.hex().encode() not in content, path
    assert not list(site.keys.glob("*.key"))
    assert not site.sums.exists()
    view = LedgerView.read(site.state / "ledger")
    assert not view.book.completed_before(len(view.entries))


def test_keys_parts_and_secrets_are_erased_and_it_is_on_record(site: JointSite) -> None:
    secrets = _secrets(site)
    assert len(secrets) >= 4
    assert is_ready(_end(site))
    _require_erased(site, secrets)
    verify(site.home.audit)
    (entry,) = [one for one in AuditLog(site.home.audit).entries() if one.event == "keys-erased"]
    assert entry.facts == {"study": site.invitation.digest, "by": "coordinator"}


def test_status_says_whether_keys_are_kept_or_since_when_they_are_not(site: JointSite) -> None:
    (before,) = overview(site.home).joint
    _end(site)
    (after,) = overview(site.home).joint
    assert (before.name, before.has_keys, before.keys_erased) == ("lungs", True, "")
    assert not after.has_keys
    assert after.keys_erased.startswith("20")


def test_status_says_that_keys_are_lost(site: JointSite) -> None:
    words = ["site", "status", "--home", str(site.home.folder)]
    assert "its keys are kept here" in CliRunner().invoke(app, words).output
    for key in site.keys.glob("*.key"):
        key.unlink()
    assert "its keys are lost" in " ".join(CliRunner().invoke(app, words).output.split())
    (view,) = overview(site.home).joint
    assert (view.has_keys, view.keys_erased) == (False, "")


def test_whatever_is_asked_afterwards_is_answered_clearly_and_costs_nothing(
    site: JointSite,
) -> None:
    first = site.request()
    reveals = [site.reveal(site.request(number)).to_records() for number in (1, 2)]
    _end(site)
    paid = purposes(site.home)
    codes = {
        "a round again": site.begin(first).code,
        "a new round": site.begin(site.request(3)).code,
        "the statistics": site.begin(site.request(0)).code,
        "the same part": site.ask(reveals[0], "query.reveal").code,
        "a part that was ready": site.ask(reveals[1], "query.reveal").code,
        "whether it could begin": site.ask(site.request(0).to_records(), "query.readiness").code,
        "keys": site.ask(site.draft.to_records(), "query.study_key").code,
    }
    assert codes == dict.fromkeys(codes, "study-over")
    assert purposes(site.home) == paid
    assert is_ready(_end(site))  # as often as it is told
    log = AuditLog(site.home.audit).entries()
    assert sum(one.event == "keys-erased" for one in log) == 1


def test_a_site_that_was_killed_while_it_erased_begins_nothing_and_erases_the_rest(
    site: JointSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = _secrets(site)

    def killed(path: Path) -> None:
        raise OSError("killed")

    with monkeypatch.context() as context:
        context.setattr(erasing, "erase_file", killed)
        assert _end(site).code == "internal"
    assert site.begin(site.request(3)).code == "study-over"
    (view,) = overview(site.home).joint
    assert view.keys_erased == ""
    assert is_ready(_end(site))
    _require_erased(site, secrets)


def test_a_steward_ends_a_study_that_the_coordinator_does_not(site: JointSite) -> None:
    secrets = _secrets(site)
    assert end_study(site.home, site.invitation.digest)
    _require_erased(site, secrets)
    assert not end_study(site.home, site.invitation.digest)
    (entry,) = [one for one in AuditLog(site.home.audit).entries() if one.event == "keys-erased"]
    assert entry.facts["by"] == "steward"


def test_keys_that_are_erased_are_on_record_where_the_ledger_then_fails(site: JointSite) -> None:
    lines = site.state / "ledger" / LINES
    lines.write_bytes(b"{}\n" + lines.read_bytes())
    with pytest.raises(LedgerError):
        end_study(site.home, site.invitation.digest)
    assert not list(site.keys.glob("*.key"))
    assert not site.sums.exists()
    events = [one.event for one in AuditLog(site.home.audit).entries()]
    assert events.count("keys-erased") == 1


def test_secrets_stay_while_another_study_may_repeat_its_steps(site: JointSite) -> None:
    identity = DatasetIdentity.load_or_create(site.state).name
    with Ledger.open(
        site.state / "ledger", identity, epsilon_ceiling=20, collusion_ceiling=60, delta=1e-5
    ) as ledger:
        step = SubsampledGaussian(0.1, 2.0, 1)
        reservation = ledger.reserve("0" * 64, [step], purpose="round 1", study="1" * 64)
        ledger.complete(reservation, "2" * 64)
    assert is_ready(_end(site))
    assert not list(site.keys.glob("*.key"))
    with Ledger.open(
        site.state / "ledger", identity, epsilon_ceiling=20, collusion_ceiling=60, delta=1e-5
    ) as ledger:
        again = ledger.reserve("0" * 64, [step], purpose="round 1", study="1" * 64)
    assert again.secret == reservation.secret


def test_a_stranger_s_question_ends_nothing(site: JointSite) -> None:
    request = replace(site.request(0), rounds=5)  # another study, which nobody approved
    assert site.ask(request.to_records(), f"query.{STUDY_END}").code in ("not-approved", "roster")
    assert list(site.keys.glob("*.key"))
