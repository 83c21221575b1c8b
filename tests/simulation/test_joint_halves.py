"""A site that spoils its parts, among real sites: found, left out, and paid for as planned."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fedscan.client.border import egress
from fedscan.config.study import Study
from fedscan.federation.joint.context import SumContext, members_digest
from fedscan.federation.joint.masks import add_masks
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.events import Event
from fedscan.server.joint.events import AttemptLost, CulpritsFound, SumSettled
from fedscan.simulation.run import simulate
from site_homes import paid
from tiny_hospitals import write_hospitals

SITES = ("berlin", "east", "north", "south", "turin", "west")


def test_a_site_that_spoils_its_parts_is_found_and_no_two_sums_share_a_part(
    make_study: Callable[..., Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiling(values: np.ndarray, site: str, *rest: object) -> np.ndarray:
        part = add_masks(values, site, *rest)  # type: ignore[arg-type]
        (context,) = (one for one in rest if isinstance(one, SumContext))
        if site == "north" and context.kind == "round":
            part = np.random.default_rng(1).integers(0, 2**32, part.shape, dtype=np.uint32)
        return part

    monkeypatch.setattr(egress, "add_masks", spoiling)
    write_hospitals(tmp_path / "data", dict.fromkeys(SITES, 6), images=1)
    rounds = 4
    study = make_study(
        "privacy.sum=joint",
        "privacy.min_sites=3",
        "privacy.spare_attempts=1",
        "local.steps=1",
        "local.optimizer=sgd",
        "local.learning_rate=0.01",
        "federation.expected_sites=6",
        f"federation.rounds={rounds}",
    )
    events: list[Event] = []
    out = tmp_path / "out"
    simulate(study, tmp_path / "data", out, workers=1, evaluate=False, progress=events.append)

    (found,) = [event for event in events if isinstance(event, CulpritsFound)]
    assert tuple(found.sites) == ("north",)
    assert [event.round for event in events if isinstance(event, AttemptLost)] == [1]
    settled: dict[tuple[int, int], list[tuple[str, ...]]] = {}
    for event in events:
        if isinstance(event, SumSettled):
            settled.setdefault((event.round, event.attempt), []).append(tuple(event.sites))
    for groups in settled.values():
        assert set(Counter(name for group in groups for name in group).values()) == {1}
        assert min(map(len, groups)) >= 3
    last = settled[rounds, 1]
    assert last == [tuple(name for name in SITES if name != "north")]
    # Each round but the spoiled attempt has a result, of sites that did not spoil it.
    history = [
        json.loads(line) for line in (out / "run" / "history.jsonl").read_text().splitlines()
    ]
    assert {one["round"] for one in history} == set(range(1, rounds + 1))
    assert "north" not in {one["site"] for one in history}
    for site in SITES:
        purposes = [one.purpose for one in paid(out / "sites" / site)]
        assert len(purposes) == len(set(purposes)) <= 1 + rounds + 1
        assert purposes[:3] == [
            "statistics attempt 1",
            "round 1 attempt 1",
            "round 1 attempt 2",
        ]
        digests = {members_digest(group) for groups in settled.values() for group in groups}
        view = LedgerView.read(out / "sites" / site / "ledger")
        assert {one.roster for one in view.book.reservations.values()} <= digests | {""}
