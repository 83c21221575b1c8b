"""A coordinator that wants more than it may have: real processes, and the site's real answers."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fedscan.client.workspace.opened import open_generator
from fedscan.common.audit import AuditLog, verify
from fedscan.federation.invitation import Invitation
from fedscan.federation.protocol import RoundRequest
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from flwr.app import ConfigRecord, RecordDict
from loopback import Federation, until

pytestmark = pytest.mark.real_processes

HOSTILE = Path(__file__).parent / "hostile"
NOTHING = {"version", "site", "request", "code", "weight"}


class Attack:
    """One study that site north approves, and a coordinator that asks what it likes."""

    def __init__(self, federation: Federation, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.federation, self.root = federation, federation.root
        self.study = federation.submit("lungs")
        self.marker, self.answers = self.root / "ran", self.root / "answers.json"
        self.questions = self.root / "questions.pickle"
        for name, value in (
            ("HOSTILE", how),
            ("PYTHONPATH", f"{HOSTILE}:{':'.join(_search_path())}"),
            ("HOSTILE_QUESTIONS", self.questions),
            ("HOSTILE_ANSWERS", self.answers),
            ("HOSTILE_MARKER", self.marker),
        ):
            monkeypatch.setenv(name, str(value))
        self._monkeypatch = monkeypatch

    def ask(self, questions: dict[str, tuple[str, RecordDict]]) -> dict[str, dict[str, Any]]:
        """Ask site north; return what it answered to each question."""
        content = [(name, kind, records) for name, (kind, records) in questions.items()]
        self.questions.write_bytes(pickle.dumps(content))
        self.federation.start("coordinator")
        self._monkeypatch.undo()  # the site's own processes are honest
        self.federation.start("north")
        until(self.answers.exists, "the answers")
        answers = json.loads(self.answers.read_text())
        return {name: replies[0] for name, replies in answers.items()}

    def request(self) -> RoundRequest:
        """Return what an honest coordinator would ask in round 1."""
        invitation = Invitation.from_json(self.study.invitation.read_bytes())
        opened = open_generator(self.federation.base, self.study.study.trainable, "cpu")
        return RoundRequest(
            round=1,
            rounds=invitation.rounds,
            base=invitation.base,
            terms=invitation.terms,
            tensors={
                name: np.zeros(value.shape, np.float32) for name, value in opened.parameters.items()
            },
        )


def _search_path() -> list[str]:
    import fedscan

    return [str(Path(fedscan.__file__).parents[1])]


def _with(request: RoundRequest, section: str, **values: object) -> RoundRequest:
    terms = {**json.loads(request.terms[section]), **values}
    return replace(request, terms={**request.terms, section: json.dumps(terms)})


def test_a_hostile_coordinator_gets_only_what_was_approved(
    own_federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack = Attack(own_federation, "app", monkeypatch)
    honest = attack.request()
    extra = honest.to_records()
    extra["metrics"] = ConfigRecord({"send": "batch"})
    answers = attack.ask(
        {
            "no noise": ("train", _with(honest, "privacy", enabled=False).to_records()),
            "little noise": ("train", _with(honest, "privacy", epsilon=100.0).to_records()),
            "more rounds": ("train", replace(honest, rounds=50).to_records()),
            "a later round": ("train", replace(honest, round=3).to_records()),
            "a batch in a metric": ("train", extra),
            "a query of its own": ("query.batch", honest.to_records()),
            "an evaluation": ("evaluate", honest.to_records()),
            "what was approved": ("train", honest.to_records()),
        }
    )
    allowed = answers.pop("what was approved")
    assert allowed["fedscan"]["code"] == "ok"
    for name in ("a query of its own", "an evaluation"):
        # Flower's own words about an error would hold an exception's text.
        assert not answers.pop(name)["error"][1], name
    codes = {}
    for name, answer in answers.items():
        assert set(answer) == {"fedscan", "trainable"}, name
        assert answer["trainable"] == 0, name
        assert set(answer["fedscan"]) == NOTHING, name
        codes[name] = answer["fedscan"]["code"]
    assert codes == {
        "no noise": "not-approved",
        "little noise": "not-approved",
        "more rounds": "not-approved",
        "a later round": "protocol",
        "a batch in a metric": "protocol",
    }
    site = own_federation.site("north")
    verify(site / "audit.jsonl")
    events = [entry.event for entry in AuditLog(site / "audit.jsonl").entries()]
    assert (events.count("answered"), events.count("refused")) == (1, 5)
    ledger = LedgerView.read(site / "data" / "chest" / "ledger")
    paid = [one.record.purpose for one in ledger.entries if isinstance(one.record, Reserve)]
    assert paid == ["patient count", "round 1"]
    assert not (site / "run" / "flower" / "apps").exists()


def test_a_bundle_with_its_own_fedscan_is_neither_unpacked_nor_run(
    own_federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack = Attack(own_federation, "bundle", monkeypatch)
    answers = attack.ask({"a round": ("train", attack.request().to_records())})
    assert answers["a round"]["fedscan"]["code"] == "not-approved"
    assert answers["a round"]["trainable"] == 0
    assert not attack.marker.exists()
    site = own_federation.site("north")
    assert not (site / "run" / "flower" / "apps").exists()
    assert not (site / "data" / "chest" / "ledger").exists()
    events = [entry.event for entry in AuditLog(site / "audit.jsonl").entries()]
    assert events[-2:] == ["bundle-refused", "refused"]
