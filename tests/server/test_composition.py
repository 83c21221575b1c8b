"""A coordinator takes nothing for a composition that is none, and goes on without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fedscan.errors import CheckpointError
from fedscan.federation.protocol import RoundReply, RoundRequest
from fedscan.model.statistics.composition import cells
from fedscan.server import composition
from fedscan.server.composition import collect_compositions, read_compositions
from fedscan.server.exchange import Arrival

ASKED = RoundRequest(round=0, rounds=1, base="0" * 64, terms={}, tensors={})
NUMBERS = np.zeros(len(cells()), np.float32)
SPREAD = np.ones(1, np.float32)
GOOD = {"patients": NUMBERS, "deviation": SPREAD}


class Sites:
    """Stands for the grid where only the number of sites counts."""

    def get_node_ids(self) -> list[int]:
        return [1]


def collect(path: Path, monkeypatch: pytest.MonkeyPatch, arrival: Arrival) -> list[str]:
    monkeypatch.setattr(composition, "exchange", lambda *_: [arrival])
    codes: list[str] = []
    collect_compositions(
        path,
        Sites(),
        ASKED,
        delta=1e-5,
        limit_s=1.0,
        observe=lambda event: codes.append(getattr(event, "code", "")),
    )
    return codes[1:]


def answer(tensors: dict[str, np.ndarray], request: str = "", code: str = "ok") -> Arrival:
    reply = RoundReply(site="north", request=request or ASKED.digest(), code=code, tensors=tensors)
    return Arrival(node=1, content=reply.to_records(), seconds=0.0)


def test_a_good_answer_is_kept_and_read_back(tmp_path, monkeypatch):
    path = tmp_path / "compositions.json"
    assert collect(path, monkeypatch, answer(GOOD)) == ["ok"]
    assert list(read_compositions(path)) == ["north"]
    # A site that is away the next time stays on record.
    away = Arrival(node=1, content=None, code="timeout", seconds=1.0)
    assert collect(path, monkeypatch, away) == ["timeout"]
    assert list(read_compositions(path)) == ["north"]


@pytest.mark.parametrize(
    "tensors",
    [
        {"patients": NUMBERS},
        {**GOOD, "more": SPREAD},
        {**GOOD, "patients": NUMBERS[1:]},
        {**GOOD, "patients": NUMBERS + np.nan},
        {**GOOD, "deviation": -SPREAD},
    ],
)
def test_what_is_no_composition_is_refused(tmp_path, monkeypatch, tensors):
    path = tmp_path / "compositions.json"
    assert collect(path, monkeypatch, answer(tensors)) == ["update-rejected"]
    assert collect(path, monkeypatch, answer(GOOD, request="1" * 64)) == ["update-rejected"]
    assert collect(path, monkeypatch, answer({}, code="privacy")) == ["privacy"]
    assert read_compositions(path) == {}


@pytest.mark.parametrize("text", ["", "[]", '{"north": {"patients": [1]}}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "compositions.json").write_text(text)
    with pytest.raises(CheckpointError, match="damaged"):
        read_compositions(tmp_path / "compositions.json")
