"""A coordinator takes nothing for a composition that is none, and goes on without it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from fedscan.errors import CheckpointError
from fedscan.federation.protocol import RoundReply, RoundRequest
from fedscan.model.statistics.composition import cells
from fedscan.server.composition import collect_compositions, read_compositions
from fedscan.simulation.grid import InProcessGrid
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

ASKED = RoundRequest(round=0, rounds=1, base="0" * 64, terms={}, tensors={})
FINER = {"part": ("knee", "toe"), "finding_word": ("fracture of the scaphoid",)}
NUMBERS = np.zeros(len(cells(FINER)), np.float32)
SPREAD = np.ones(1, np.float32)
GOOD = {"patients": NUMBERS, "deviation": SPREAD}


def collect(path: Path, records: RecordDict | None) -> list[str]:
    """Ask one site that answers with these records, or too late."""
    app = ClientApp()

    @app.query("composition")
    def answer(message: Message, context: Context) -> Message:
        time.sleep(0 if records else 0.5)
        return Message(records or RecordDict(), reply_to=message)

    codes: list[str] = []
    with InProcessGrid(lambda: app, [{}]) as grid:
        collect_compositions(
            path,
            grid,
            ASKED,
            finer=FINER,
            delta=1e-5,
            limit_s=30.0 if records else 0.1,
            observe=lambda event: codes.append(getattr(event, "code", "")),
        )
    return codes[1:]


def answer(tensors: dict[str, np.ndarray], request: str = "", code: str = "ok") -> RecordDict:
    reply = RoundReply(site="north", request=request or ASKED.digest(), code=code, tensors=tensors)
    return reply.to_records()


def test_a_good_answer_is_kept_and_read_back(tmp_path):
    path = tmp_path / "compositions.json"
    assert collect(path, answer(GOOD)) == ["ok"]
    assert list(read_compositions(path)) == ["north"]
    # A site that is away the next time stays on record.
    assert collect(path, None) == ["timeout"]
    assert list(read_compositions(path)) == ["north"]


def test_a_site_of_an_earlier_release_counts_the_words_of_the_frame_alone(tmp_path):
    path = tmp_path / "compositions.json"
    assert collect(path, answer({**GOOD, "patients": NUMBERS[: len(cells())]})) == ["ok"]
    assert read_compositions(path)["north"].cells == cells()
    assert collect(path, answer(GOOD)) == ["ok"]
    one = read_compositions(path)["north"]
    # What an earlier release wrote says nothing of finer words.
    old = {"patients": [1.0] * len(cells()), "deviation": 1, "noise_multiplier": 1, "delta": 1e-5}
    (tmp_path / "old.json").write_text(json.dumps({"north": old}))
    assert read_compositions(tmp_path / "old.json")["north"].cells == cells()
    assert one.cells == cells(FINER)
    assert one.noise_multiplier == pytest.approx(1 / np.sqrt(7))


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
def test_what_is_no_composition_is_refused(tmp_path, tensors):
    path = tmp_path / "compositions.json"
    assert collect(path, answer(tensors)) == ["update-rejected"]
    assert collect(path, answer(GOOD, request="1" * 64)) == ["update-rejected"]
    assert collect(path, answer({}, code="privacy")) == ["privacy"]
    assert read_compositions(path) == {}


@pytest.mark.parametrize("text", ["", "[]", '{"north": {"patients": [1]}}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "compositions.json").write_text(text)
    with pytest.raises(CheckpointError, match="damaged"):
        read_compositions(tmp_path / "compositions.json")
