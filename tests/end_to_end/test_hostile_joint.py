"""A coordinator that wants one hospital's part of a joint sum: real processes, under TLS.

It knows the keys of all other sites of the roster, which it invented itself. That is the worst case
of the second promise: with all masks taken off, the site's part has the site's own noise, and the
ledger counted on no more. Everything else that it tries is refused with a code.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fedscan.client.policy import load_policy, write_policy
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import AuditLog, verify
from fedscan.federation.joint.keys import StudyKey
from fedscan.federation.pki.keys import new_key
from fedscan.federation.protocol import RoundReply, RoundRequest
from fedscan.federation.wire import unpack
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from flwr.app import ConfigRecord, RecordDict
from joint_sites import JointSite, is_ready, part_of
from loopback import Federation, until

pytestmark = pytest.mark.real_processes

HOSTILE = Path(__file__).parent / "hostile"
Question = tuple[str, RecordDict]


class RemoteSite(JointSite):
    """Site north behind its daemon, proxy and TLS, asked by a hostile coordinator's app."""

    def __init__(self, federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
        import fedscan

        self.federation, self._rounds = federation, 0
        self.questions = federation.root / "questions"
        self.questions.mkdir()
        submitted = federation.submit(
            "lungs", "privacy.sum=joint", "local.steps=1", "privacy.spare_attempts=2",
            approved_by=(),
        )  # fmt: skip
        for name, value in (
            ("HOSTILE", "joint"),
            ("HOSTILE_FOLDER", self.questions),
            ("PYTHONPATH", f"{HOSTILE}:{Path(fedscan.__file__).parents[1]}"),
        ):
            monkeypatch.setenv(name, str(value))
        federation.start("coordinator")
        monkeypatch.undo()  # the site's own processes are honest
        federation.start("north")
        home = SiteHome.open(federation.site("north"))
        super().__init__(home, submitted.study, federation.base, federation.root / "others")

    def ask_all(self, questions: Mapping[str, Question]) -> dict[str, Any]:
        """Send messages and return each one's answer: its content, or an error's reason."""
        number, self._rounds = self._rounds, self._rounds + 1
        content = [(name, kind, records) for name, (kind, records) in questions.items()]
        file = self.questions / f"questions-{number}.pickle"
        file.with_suffix(".part").write_bytes(pickle.dumps(content))
        file.with_suffix(".part").rename(file)
        answers = self.questions / f"answers-{number}.pickle"
        until(answers.exists, f"the answers\n{self.federation.logs()}")
        return {name: replies[0] for name, replies in pickle.loads(answers.read_bytes()).items()}

    def tell(self, records: RecordDict, kind: str) -> RecordDict:
        """Send the site a message and return the answer as it came."""
        what, content = self.ask_all({"it": (kind, records)})["it"]
        assert what == "content", content
        return content


def test_a_coordinator_gets_one_masked_part_and_codes(
    own_federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = RemoteSite(own_federation, monkeypatch)
    policy = load_policy(site.home.policy)
    write_policy(site.home.policy, replace(policy, min_noise_multiplier=0.0))
    first, second = site.request(1), site.request(2)
    assert site.begin(first).code == "not-approved"
    site.approve()
    reveal, wide = site.reveal(first), ("east", "north", "south", "west")
    other_model = replace(first, tensors={n: v + 1 for n, v in first.tensors.items()})
    other_key = StudyKey.generate(site.draft.study(), "north", new_key()).public
    members = (site.roster.members[0], other_key, *site.roster.members[2:])
    changed = {n: bytes([v[0] ^ 1]) + v[1:] for n, v in reveal.encapsulations.items()}
    extra = reveal.to_records()
    extra["metrics"] = ConfigRecord({"send": "part"})

    def terms(**values: str) -> RoundRequest:
        return replace(first, terms={**site.terms, **values})

    def privacy(**values: object) -> RoundRequest:
        return terms(privacy=json.dumps({**json.loads(site.terms["privacy"]), **values}))

    def to_train(request: RoundRequest) -> Question:
        return "train", request.to_records()

    def to_open(records: RecordDict) -> Question:
        return "query.reveal", records

    ready = site.begin(first)
    assert is_ready(ready)
    codes = {
        "another model in the same attempt": (to_train(other_model), "roster"),
        "no attempt": (to_train(replace(first, attempt=0)), "roster"),
        "local noise": (to_train(privacy(sum="local")), "protocol"),
        "no noise": (to_train(privacy(enabled=False)), "protocol"),
        "a smaller least sum": (to_train(privacy(min_sites=2)), "protocol"),
        "a larger epsilon": (to_train(privacy(epsilon=50.0, collusion_epsilon=90.0)), "roster"),
        "an unmasked form": (to_train(terms(wire='"float32"')), "protocol"),
        "several steps": (to_train(terms(local='{"steps":2}')), "protocol"),
        "less noise of the others": (
            to_train(terms(roster=site.make_roster(minimum_share=0.01).to_text())),
            "not-approved",
        ),
        "other keys for this site": (
            to_train(terms(roster=site.make_roster(members=members).to_text())),
            "not-approved",
        ),
        "more rounds": (to_train(replace(first, rounds=50)), "roster"),
        "too few": (to_open(site.reveal(first, ["east", "north"]).to_records()), "roster"),
        "alone": (to_open(site.reveal(first, ["north"]).to_records()), "roster"),
        "without the site": (
            to_open(site.reveal(first, ["east", "south", "west"]).to_records()),
            "roster",
        ),
        "a stranger": (to_open(site.reveal(first, [*wide, "x"]).to_records()), "roster"),
        "a changed secret": (
            to_open(replace(reveal, encapsulations=changed).to_records()),
            "roster",
        ),
        "a secret left out": (to_open(replace(reveal, encapsulations={}).to_records()), "roster"),
        "a round never begun": (to_open(site.reveal(second).to_records()), "roster"),
        "another attempt": (
            to_open(site.reveal(replace(first, attempt=2)).to_records()),
            "roster",
        ),
        "another request's part": (
            to_open(replace(reveal, message=other_model.digest()).to_records()),
            "roster",
        ),
        "the part as a later round's": (
            to_open(replace(reveal, request=replace(reveal.request, round=2)).to_records()),
            "roster",
        ),
        "a record more": (to_open(extra), "protocol"),
        "the composition alone": (
            ("query.composition", site.request(0).to_records()),
            "privacy",
        ),
        "keys for the approved study": (
            ("query.study_key", replace(first, tensors={}).to_records()),
            "protocol",
        ),
    }
    answers = site.ask_all({name: question for name, (question, _) in codes.items()})
    for name, (what, content) in answers.items():
        assert what == "content", name
        reply = RoundReply.from_records(content)
        assert not reply.tensors, name
        assert reply.code == codes[name][1], (name, reply.code)

    part = part_of(site.ask(reveal.to_records(), "query.reveal"))
    second_roster = site.ask(site.reveal(first, wide).to_records(), "query.reveal")
    assert (second_roster.code, dict(second_roster.tensors)) == ("roster", {})
    np.testing.assert_array_equal(part, part_of(site.ask(reveal.to_records(), "query.reveal")))
    # What all others together see is the part with the site's own noise, and no more.
    own = np.asarray(unpack((site.sums / f"{first.digest()}.sum").read_bytes())["sum"])
    np.testing.assert_array_equal(site.without_masks(part, reveal, ready), own)

    (site.questions / "stop").touch()
    verify(site.home.audit)
    sent = [entry for entry in AuditLog(site.home.audit).entries() if entry.event == "answered"]
    assert [entry.facts.get("members") for entry in sent if "members" in entry.facts] == [
        ["east", "north", "south"]
    ] * 2
    view = LedgerView.read(site.state / "ledger")
    paid = [one.record.purpose for one in view.entries if isinstance(one.record, Reserve)]
    assert paid == ["round 1 attempt 1"]
    # On the wire, as the coordinator's whole disk has it, there is no part without masks.
    for path in own_federation.root.rglob("*"):
        if path.is_file() and not path.is_relative_to(site.home.folder):
            assert own.tobytes()[:64] not in path.read_bytes(), path
