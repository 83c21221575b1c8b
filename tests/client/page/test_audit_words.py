"""The steward's page has plain words for whatever the audit log of a site can hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import fedscan
import pytest
from fastapi.testclient import TestClient
from fedscan.client.page.app import steward_app
from fedscan.client.page.audit_words import EVENTS
from fedscan.client.steward.gate_log import ASKED
from fedscan.config.study import load_study
from fedscan.federation.protocol import STUDY_END
from joint_sites import JointSite, is_ready, part_of
from site_homes import begin_anew, make_home
from tiny_generators import save_tiny_generator

CLIENT = Path(fedscan.__file__).parent / "client"


def _trees() -> Iterator[ast.Module]:
    for path in sorted(CLIENT.rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"))


def _text(node: ast.expr, tree: ast.Module) -> str:
    """Return a text, or that of the module's constant that is named."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.Name), ast.unparse(node)
    for one in tree.body:
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == node.id:
            assert isinstance(one.value, ast.Constant)
            return str(one.value.value)
    raise AssertionError(f"{node.id} is no constant of its module")


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def events_in_the_code() -> set[str]:
    """Return the name of every line that the code of a site puts into its audit log."""
    names = set()
    for tree in _trees():
        for call in _calls(tree):
            what = ast.unparse(call.func)
            if what.endswith((".log.append", ".audit.append", ".announce")):
                names.add(_text(call.args[0], tree))
    return names


def questions_in_the_code() -> set[str]:
    """Return the name of every kind of message that a site puts on record as asked."""
    names = set()
    for tree in _trees():
        for call in _calls(tree):
            what = ast.unparse(call.func)
            if what == "Service":
                (kind,) = (one.value for one in call.keywords if one.arg == "kind")
                names.add(_text(kind, tree))
            elif what in ("_ask", "_note_question") and not isinstance(
                call.args[-1], ast.Attribute
            ):
                kind = call.args[-1]
                # A name here is one that another call in this module passes on.
                if isinstance(kind, ast.Constant):
                    names.add(str(kind.value))
    return names


def test_every_line_that_the_audit_log_can_hold_has_words() -> None:
    events = events_in_the_code()
    assert {"asked", "paid-again", "keys-erased", "opted-out", "policy-changed"} <= events
    assert events == EVENTS.keys()


def test_every_kind_of_question_has_words() -> None:
    questions = questions_in_the_code()
    assert {"round", "reveal", "study-end", "study-key"} <= questions
    assert questions == ASKED.keys()


def test_words_are_no_codes() -> None:
    for name, words in {**EVENTS, **ASKED}.items():
        assert "-" not in words, name
        assert words != name or name == "statistics"


@pytest.fixture
def ended(tmp_path: Path) -> JointSite:
    """A site whose joint study began one sum, opened it, and is over."""
    begin_anew()
    base = save_tiny_generator(tmp_path / "base")
    sets = ["data.image_size=32", "trainable.subset=attention", "privacy.sum=joint"]
    sets += ["privacy.clip_norm=1.0", "privacy.draws_per_patient=1", "privacy.epsilon=4"]
    sets += ["local.steps=1", "federation.rounds=4", "privacy.collusion_epsilon=8"]
    study = load_study(None, [f"generator.base={base}", *sets])
    site = JointSite(make_home(tmp_path, base), study, base, tmp_path / "others")
    site.approve()
    request = site.request(2)
    assert is_ready(site.begin(request))
    part_of(site.ask(site.reveal(request).to_records(), "query.reveal"))
    assert is_ready(site.ask(site.request(0).to_records(), f"query.{STUDY_END}"))
    return site


def test_a_joint_study_is_told_in_words(ended: JointSite) -> None:
    app = steward_app(ended.home, "t" * 43)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        client.headers["Authorization"] = f"Bearer {'t' * 43}"
        state = client.get("/api/state").json()
    assert [one["words"] for one in reversed(state["gate"]["departures"])] == [
        "training round 2",  # that it is ready
        "masked part of a joint sum, of round 2",
        "end of a joint study",
    ]
    told = [one["words"] for one in reversed(state["audit"])]
    told = told[told.index("coordinator asked: public keys for a joint study") :]
    assert told == [
        "coordinator asked: public keys for a joint study",
        "public keys for a joint study given",
        "study approved",
        "coordinator asked: training round 2",
        "answer left",
        "coordinator asked: masked part of a joint sum, of round 2",
        "answer left",
        "coordinator asked: end of a joint study",
        "keys for a joint study erased",
        "answer left",
    ]
