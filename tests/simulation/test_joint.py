"""A joint study on one machine: the real apps, keys, masks and ledgers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.config.study import Study
from fedscan.federation.joint.roster import Roster
from fedscan.privacy.ledger.view import LedgerView
from fedscan.simulation.run import simulate
from site_homes import paid

JOINT = ("privacy.sum=joint", "local.steps=1", "federation.expected_sites=3")


@pytest.fixture(scope="module")
def joint_run(
    hospitals: Path, make_study: Callable[..., Study], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Study]:
    """A finished joint study of three hospitals; not to be changed."""
    out = tmp_path_factory.mktemp("joint") / "out"
    study = make_study(*JOINT, "privacy.composition_share=0.1")
    simulate(study, hospitals, out, workers=1, evaluate=False)
    return out, study


def test_a_joint_study_ends_with_a_generator(joint_run: tuple[Path, Study]) -> None:
    out, study = joint_run
    assert (out / "generator" / "model_index.json").exists()
    rounds = [json.loads(line) for line in (out / "run" / "history.jsonl").read_text().splitlines()]
    assert {one["code"] for one in rounds} == {"ok"}
    assert len(rounds) == 3 * study.federation.rounds
    roster = Roster.from_text((out / "run" / "roster.json").read_text())
    assert roster.names == ("north", "south", "west")


def test_every_site_paid_with_its_own_share_and_opened_each_sum_once(
    joint_run: tuple[Path, Study],
) -> None:
    out, study = joint_run
    for site in ("north", "south", "west"):
        assert [one.purpose for one in paid(out / "sites" / site)] == [
            "statistics attempt 1",
            *(f"round {number} attempt 1" for number in range(1, study.federation.rounds + 1)),
        ]
        view = LedgerView.read(out / "sites" / site / "ledger")
        opened = view.book.reservations.values()
        assert all(one.result and one.roster and one.masked_sum for one in opened)
        assert all(one.record.joint is not None for one in opened)
    rosters = {
        one.roster
        for site in ("north", "south", "west")
        for one in LedgerView.read(out / "sites" / site / "ledger").book.reservations.values()
    }
    assert len(rosters) == 1
