"""The coordinator tells each site of a joint study that it is over, and knows who erased keys."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from fedscan.federation.protocol import READY, STUDY_END, RoundReply, RoundRequest
from fedscan.server.asking import Sites
from fedscan.server.events import Event
from fedscan.server.joint.ending import end_study, erased_at, kept_at
from fedscan.server.joint.events import EndTold, KeysErased
from fedscan.simulation.grid import InProcessGrid
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

NAMES = ("east", "north", "south")


class ToyEnd:
    """Sites that erase, refuse or die when they are told that a study is over."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = {name: answers.get(name, []) for name in NAMES}
        self.told: list[str] = []

    def app(self) -> ClientApp:
        app = ClientApp()

        @app.query(STUDY_END)
        def end(message: Message, context: Context) -> Message:
            name = str(context.node_config["site"])
            self.told.append(name)
            what = self.answers[name].pop(0) if self.answers[name] else "ok"
            if what == "die":
                raise RuntimeError("killed")
            request = RoundRequest.from_records(message.content)
            reply = RoundReply(site=name, request="", code=what)
            if what == "ok":
                reply = RoundReply(
                    site=name,
                    request=request.digest(),
                    tensors={READY: np.ones(1, np.float32)},
                )
            return Message(reply.to_records(), reply_to=message)

        return app


def _end(sites: ToyEnd, path: Path) -> list[Event]:
    events: list[Event] = []
    request = RoundRequest(round=0, rounds=2, base="0" * 64, terms={}, tensors={})
    with InProcessGrid(sites.app, [{"site": name} for name in NAMES]) as grid:
        end_study(path, Sites(grid=grid), request, NAMES, events.append)
    return events


def test_every_site_is_told_and_who_died_is_told_again(tmp_path: Path) -> None:
    sites = ToyEnd(north=["die"])
    events = _end(sites, tmp_path / "keys.json")
    assert erased_at(tmp_path / "keys.json") == list(NAMES)
    assert kept_at(tmp_path / "keys.json") == {}
    assert sum(isinstance(event, EndTold) for event in events) == 2
    assert sorted(sites.told) == ["east", "north", "north", "south"]


def test_who_refuses_or_stays_away_is_known(tmp_path: Path) -> None:
    sites = ToyEnd(north=["die"] * 9, south=["paused"])
    events = _end(sites, tmp_path / "keys.json")
    assert erased_at(tmp_path / "keys.json") == ["east"]
    assert kept_at(tmp_path / "keys.json") == {"north": "unavailable", "south": "paused"}
    codes = {one.site: one.code for one in events if isinstance(one, KeysErased)}
    assert codes["south"] == "paused"
    # A run that is resumed asks those again that did not erase.
    again = ToyEnd()
    _end(again, tmp_path / "keys.json")
    assert erased_at(tmp_path / "keys.json") == list(NAMES)


def test_what_is_not_known_is_asked_again(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps(["damaged"]))
    assert erased_at(tmp_path / "keys.json") == []
    _end(ToyEnd(), tmp_path / "keys.json")
    assert erased_at(tmp_path / "keys.json") == list(NAMES)
