"""Data sets that share patients, move to another place, or are used no more."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.client.steward.adding import NewDataSet, add_data_set
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.data_set_life import move_data_set, retire_data_set
from fedscan.client.steward.data_sets import Registry
from fedscan.client.steward.home import SiteHome
from fedscan.errors import DataError
from fedscan.federation.protocol import RoundReply, RoundRequest
from fedscan.privacy.ledger.view import LedgerView
from site_homes import invitation_of
from tiny_hospitals import write_hospitals

Ask = Callable[..., RoundReply]
Make = Callable[..., RoundRequest]


def test_patients_under_two_names_are_counted_when_the_second_is_added(
    home: SiteHome, tmp_path: Path
) -> None:
    chest = Path(Registry(home).get("chest").folder)
    copy, other = tmp_path / "copy", tmp_path / "other"
    shutil.copytree(chest, copy)
    write_hospitals(other, {"south": 2})
    assert (
        add_data_set(home, NewDataSet(name="south", folder=other / "south")).patients_elsewhere
        == {}
    )
    assert add_data_set(home, NewDataSet(name="again", folder=copy)).patients_elsewhere == {
        "chest": 4
    }


def test_a_moved_data_set_goes_on_with_its_study_and_its_ledger(
    home: SiteHome, ask: Ask, make_request: Make, tmp_path: Path
) -> None:
    Approvals(home).approve(invitation_of(make_request()), "chest")
    assert ask(make_request()).code == "ok"
    chest, new = Path(Registry(home).get("chest").folder), tmp_path / "new storage"
    shutil.copytree(chest, new)
    shutil.rmtree(chest)
    with pytest.raises(DataError, match="no folder"):
        move_data_set(home, "chest", chest)
    write_hospitals(tmp_path / "others", {"south": 1})
    with pytest.raises(DataError, match="None of the patients"):
        move_data_set(home, "chest", tmp_path / "others")
    before = len(LedgerView.read(home.state("chest") / "ledger").rows())
    move_data_set(home, "chest", new)
    assert ask(make_request(number=2)).code == "ok"
    assert len(LedgerView.read(home.state("chest") / "ledger").rows()) > before


def test_a_retired_data_set_is_in_no_study_and_keeps_its_name(
    home: SiteHome, ask: Ask, make_request: Make, tmp_path: Path
) -> None:
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    assert retire_data_set(home, "chest") == [request.study()]
    assert ask(request).code == "not-approved"
    Approvals(home).approve(invitation_of(request), "chest")
    assert ask(request).code == "data"
    with pytest.raises(DataError, match="already"):
        add_data_set(home, NewDataSet(name="chest", folder=tmp_path))
