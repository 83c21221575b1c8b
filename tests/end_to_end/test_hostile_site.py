"""An enrolled site whose software was changed to answer in another site's name: real processes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from fedscan.common.audit import AuditLog, verify
from fedscan.model.storage import generator_digest
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.history import History
from loopback import Federation
from on_import import path_with

pytestmark = pytest.mark.real_processes

IMPOSTOR = Path(__file__).parent / "impostor"


def test_a_site_that_answers_in_anothers_name_harms_nobody(
    own_federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation = own_federation
    federation.start("coordinator", "south")
    monkeypatch.setenv("IMPOSTOR_NAME", "south")
    monkeypatch.setenv("PYTHONPATH", path_with(IMPOSTOR))
    federation.start("north")
    monkeypatch.undo()
    federation.ready()

    study = federation.submit("with-impostor", "federation.min_results=1")
    federation.finish(study)
    history = History(study.job.run / "history.jsonl").entries()
    assert [(one.round, one.site, one.code) for one in history] == [
        (number, site, code)
        for number in (1, 2)
        for site, code in (("north", "protocol"), ("south", "ok"))
    ]
    # Once when the sites are asked whether they are ready, and in each round.
    assert study.log.read_text().count("Site 'north' answers in the name of 'south'.") == 3
    record = json.loads(study.record.read_bytes())["content"]
    assert record["contributors"] == ["south"]
    assert record["sites"] == {"north": {"protocol": 2}, "south": {"ok": 2}}
    verify(federation.home.audit)
    answered = [
        (entry.facts["site"], entry.facts["code"])
        for entry in AuditLog(federation.home.audit).entries()
        if entry.event == "round-answered"
    ]
    assert Counter(answered) == {("north", "protocol"): 2, ("south", "ok"): 2}

    # South's numbers, and nothing else, made the generator: without the impostor it is the same.
    federation.process("north").terminate()
    federation.process("north").wait()
    alone = federation.submit(
        "without-impostor", "federation.min_results=1", "federation.wait_timeout_s=20"
    )
    federation.finish(alone)
    without = History(alone.job.run / "history.jsonl").entries()
    assert {one.code for one in without if one.site == "south"} == {"ok"}
    assert generator_digest(alone.root / "generator") == generator_digest(study.root / "generator")
    ledger = LedgerView.read(federation.site("south") / "data" / "chest" / "ledger")
    paid = [one.record.purpose for one in ledger.entries if isinstance(one.record, Reserve)]
    assert paid == ["patient count", "round 1", "round 2"]
