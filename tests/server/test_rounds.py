"""The server's rounds over toy sites: real messages, real checks, no training."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from fedscan.errors import CheckpointError, RoundFailedError, UpdateRejectedError
from fedscan.federation.protocol import RoundReply, RoundRequest, tensors_digest
from fedscan.federation.wire import encode
from fedscan.server import patience
from fedscan.server.events import RoundFinished, SiteFinished, SitesAwaited
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from toy_sites import (
    MODEL,
    Behaviour,
    Counting,
    damage,
    dying_app,
    dying_once_app,
    honest_app,
    saying,
    sending,
    slow_app,
    toy_app,
)


def test_rounds_average_the_sites(federation: Any) -> None:
    state = federation.run()
    assert state.round == 2
    for name, start in MODEL.items():
        np.testing.assert_allclose(state.model[name], start + 0.4, rtol=1e-5)
        assert state.model[name].dtype == start.dtype
    entry = federation.history.entries()[0]
    assert (entry.round, entry.site, entry.code) == (1, "site-1", "ok")
    assert entry.update_norm == pytest.approx(0.1 * 10**0.5, rel=1e-4)
    assert entry.cosine == pytest.approx(1.0)
    assert entry.bytes_sent == entry.bytes_received == 40
    assert [event.results for event in federation.events if isinstance(event, RoundFinished)] == [
        3,
        3,
    ]


def test_a_site_cannot_answer_in_anothers_name(federation: Any) -> None:
    federation.run(rounds=1, enrolled=["site-1", "site-4", "site-3"])
    assert federation.codes(1) == {"site-1": "ok", "site-3": "ok", "site-4": "protocol"}
    assert [str(one) for one in federation.complaints] == [
        "Site 'site-4' answers in the name of 'site-2'."
    ]


def test_a_site_that_never_answered_is_called_by_its_name(federation: Any) -> None:
    names = ["site-1", "site-2"]
    federation.run(app=dying_app, workers=2, sites=names, enrolled=names, rounds=1, min_results=1)
    assert federation.codes(1) == {"site-1": "unavailable", "site-2": "ok"}


def test_only_the_models_tensors_travel(federation: Any) -> None:
    seen: list[RoundRequest] = []

    def look(request: RoundRequest, reply: RoundReply) -> RoundReply:
        seen.append(request)
        return reply

    federation.run({"site-1": look})
    assert [set(request.tensors) for request in seen] == [set(MODEL)] * 2


def test_what_the_warm_up_changed_travels_once_unless_a_site_asks_for_it(federation: Any) -> None:
    seen: list[tuple[int, int]] = []

    def forget(request: RoundRequest, reply: RoundReply) -> RoundReply:
        seen.append((request.round, len(request.start)))
        if request.round == 3 and not request.start:
            return RoundReply(site=reply.site, request="", code="start-needed")
        return reply

    federation.run({"site-1": forget}, start={"c": np.ones(100, np.float32)}, rounds=4)
    assert seen == [(1, 1), (2, 0), (3, 0), (3, 1), (4, 0)]
    sent = {(one.site, one.round): one.bytes_sent for one in federation.history.entries()}
    assert [sent["site-1", number] for number in (1, 2, 3, 4)] == [440, 40, 480, 40]
    assert [sent["site-2", number] for number in (1, 2, 3, 4)] == [440, 40, 40, 40]
    assert all(one.code == "ok" for one in federation.history.entries())


@pytest.mark.parametrize("form", ["bfloat16", "int8"])
def test_compact_updates_are_averaged_as_what_they_stand_for(federation: Any, form: Any) -> None:
    def compact(request: RoundRequest, reply: RoundReply) -> RoundReply:
        return replace(reply, tensors=encode(form, request.tensors, reply.tensors)[0])

    state = federation.run(dict.fromkeys(("site-1", "site-2", "site-3"), compact), wire=form)
    for name, start in MODEL.items():
        np.testing.assert_allclose(state.model[name], start + 0.4, rtol=0.01)
    received = {one.bytes_received for one in federation.history.entries()}
    assert received == {20 if form == "bfloat16" else 14}


def test_an_update_in_another_form_than_the_studys_is_refused(federation: Any) -> None:
    compact = {"site-1": _compact, "site-2": _compact}
    state = federation.run(compact, wire="int8", rounds=1)
    np.testing.assert_allclose(state.model["b.bias"], 1.15, rtol=0.01)
    assert federation.codes(1)["site-3"] == "protocol"


def _compact(request: RoundRequest, reply: RoundReply) -> RoundReply:
    return replace(reply, tensors=encode("int8", request.tensors, reply.tensors)[0])


@pytest.mark.parametrize(
    "behaviour",
    [
        sending(b_bias=np.array([1, 2, np.nan, 4], np.float32)),
        sending(b_bias=np.array([1, 2, np.inf, 4], np.float32)),
        sending(b_bias=np.ones(5, np.float32)),
        sending(b_bias=np.ones((4, 1), np.float32)),
        sending(b_bias=np.ones(4, np.float64)),
        sending(b_bias=np.full(4, 1e6, np.float32)),
        sending(b_bias=np.float32(0)),  # removed
        sending(c_more=np.ones(4, np.float32)),
    ],
)
def test_a_bad_update_is_refused_and_named(federation: Any, behaviour: Any) -> None:
    state = federation.run({"site-3": behaviour}, rounds=1)
    np.testing.assert_allclose(state.model["b.bias"], 1.15, rtol=1e-5)
    assert federation.codes(1)["site-3"] == "update-rejected"
    (complaint,) = federation.complaints
    assert isinstance(complaint, UpdateRejectedError)
    assert "site-3" in str(complaint)
    assert any(word in str(complaint) for word in ("b.bias", "c.more", "norm"))


def test_a_round_with_too_few_results_fails_loudly(federation: Any) -> None:
    bad = sending(b_bias=np.full(4, np.nan, np.float32))
    with pytest.raises(RoundFailedError, match=r"site-1: data.*site-3: update-rejected"):
        federation.run({"site-1": saying("data"), "site-3": bad})
    assert federation.codes(1) == {
        "site-1": "data",
        "site-2": "ok",
        "site-3": "update-rejected",
    }


def test_too_few_connected_sites_fail_after_the_limit(federation: Any) -> None:
    with pytest.raises(RoundFailedError, match="1 of the 2 sites"):
        federation.run(sites=["site-1"], wait_timeout_s=0.1)


def test_a_site_without_budget_is_left_out_from_then_on(federation: Any) -> None:
    poor = Counting(saying("budget-exceeded", from_round=2))
    federation.run({"site-3": poor}, rounds=4)
    assert poor.rounds == [1, 2]
    for number in (2, 3, 4):
        assert federation.codes(number)["site-3"] == "budget-exceeded"


def test_two_sites_of_one_name_are_both_refused(federation: Any) -> None:
    state = federation.run(sites=["site-1", "site-2", "site-2", "site-3"], rounds=1)
    np.testing.assert_allclose(state.model["b.bias"], 1.2, rtol=1e-5)
    assert "site-2" in str(federation.complaints[0])


def test_an_answer_to_another_request_is_refused(federation: Any) -> None:
    def stale(request: RoundRequest, reply: RoundReply) -> RoundReply:
        return replace(reply, request="f" * 64)

    federation.run({"site-3": stale}, rounds=1)
    assert federation.codes(1)["site-3"] == "protocol"


def test_a_message_that_cannot_be_read_counts_as_failure(federation: Any) -> None:
    honest = toy_app({})
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        if context.node_config["site"] == "site-2":
            return Message(RecordDict(), reply_to=message)
        if context.node_config["site"] == "site-4":
            raise ValueError("patient Doe")
        return honest(message, context)

    federation.run(app=lambda: app, sites=["site-1", "site-2", "site-3", "site-4"], rounds=1)
    codes = federation.codes(1)
    assert sorted(codes.values()) == ["ok", "ok", "protocol", "unavailable"]


def test_a_dead_site_is_survived_and_comes_back(federation: Any) -> None:
    federation.run(app=dying_app, workers=2)
    assert "unavailable" in federation.codes(1).values()
    assert set(federation.codes(2).values()) == {"ok"}


def test_a_late_site_is_survived_and_its_old_answer_ignored(federation: Any) -> None:
    federation.run(app=slow_app, workers=3, round_timeout_s=1.0, rounds=4)
    assert "timeout" in federation.codes(1).values()
    assert federation.codes(4) == {"site-1": "ok", "site-2": "ok", "site-3": "ok"}
    assert not federation.complaints


def test_processes_change_nothing(federation: Any, tmp_path: Any) -> None:
    here = federation.run(strategy="fedadam")
    there = type(federation)(tmp_path / "other").run(app=honest_app, workers=2, strategy="fedadam")
    assert tensors_digest(here.model) == tensors_digest(there.model)


def test_declared_weights_count_only_where_asked(federation: Any, tmp_path: Any) -> None:
    def heavy(request: RoundRequest, reply: RoundReply) -> RoundReply:
        return replace(reply, weight=8.0)

    equal = federation.run({"site-3": heavy}, rounds=1)
    weighted = type(federation)(tmp_path / "other").run(
        {"site-3": heavy}, rounds=1, weights="declared"
    )
    np.testing.assert_allclose(equal.model["b.bias"], 1.2, rtol=1e-5)
    np.testing.assert_allclose(weighted.model["b.bias"], 1.27, rtol=1e-5)


def test_momentum_goes_on_in_the_direction_of_earlier_rounds(federation: Any) -> None:
    state = federation.run(strategy="fedavgm", server_momentum=0.5)
    np.testing.assert_allclose(state.model["b.bias"], 1 + 0.2 + (0.2 + 0.1), rtol=1e-5)


def test_the_average_trails_the_model(federation: Any) -> None:
    state = federation.run(ema_decay=0.9, rounds=5)
    average, model = state.average["b.bias"][0], state.model["b.bias"][0]
    assert 1.0 < average < model
    assert state.final() is state.average


@pytest.mark.parametrize("strategy", ["fedavg", "fedavgm", "fedadam"])
def test_an_interrupted_run_ends_in_the_same_bytes(
    federation: Any, tmp_path: Any, strategy: str
) -> None:
    settings = {"strategy": strategy, "ema_decay": 0.5, "rounds": 5}
    whole = type(federation)(tmp_path / "whole").run(**settings)
    broken = {"site-1": saying("data", from_round=3), "site-2": saying("data", from_round=3)}
    with pytest.raises(RoundFailedError):
        federation.run(broken, **settings)
    resumed = federation.run(**settings)
    assert tensors_digest(resumed.model) == tensors_digest(whole.model)
    assert tensors_digest(resumed.average) == tensors_digest(whole.average)
    assert tensors_digest(resumed.optimizer) == tensors_digest(whole.optimizer)
    rounds = [entry.round for entry in federation.history.entries() if entry.site == "site-1"]
    assert rounds == [1, 2, 3, 4, 5]
    assert any(isinstance(event, SiteFinished) for event in federation.events)


@pytest.mark.parametrize("victim", ["state.safetensors", "checkpoint.json"])
def test_a_damaged_checkpoint_is_passed_over_and_named(federation: Any, victim: str) -> None:
    whole = federation.run(strategy="fedavgm", rounds=4)
    damage(federation.checkpoints_folder / "round-000004" / victim)
    again = federation.run(strategy="fedavgm", rounds=4)
    assert [name for name, _ in federation.skipped] == ["round-000004"]
    assert tensors_digest(again.model) == tensors_digest(whole.model)


def test_only_damaged_checkpoints_stop_the_run(federation: Any) -> None:
    federation.run()
    for path in federation.checkpoints_folder.glob("round-*"):
        damage(path / "state.safetensors")
    with pytest.raises(CheckpointError, match="damaged"):
        federation.run()


def test_the_last_checkpoints_are_kept(federation: Any) -> None:
    federation.run(rounds=5, checkpoints_kept=2)
    names = sorted(path.name for path in federation.checkpoints_folder.iterdir())
    assert names == ["round-000004", "round-000005"]


def deciding(code: str, refusals: int) -> Behaviour:
    """Refuse so many requests, then take part."""
    left = [refusals]

    def behave(request: RoundRequest, reply: RoundReply) -> RoundReply:
        left[0] -= 1
        return reply if left[0] < 0 else RoundReply(site=reply.site, request="", code=code)

    return behave


@pytest.mark.parametrize("code", ["not-approved", "paused"])
def test_a_round_waits_for_whoever_may_yet_take_part(
    federation: Any, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.01)
    asked = Counting(lambda request, reply: reply)
    late = {"site-1": asked, "site-3": deciding(code, 2)}
    state = federation.run(late, min_results=3)
    np.testing.assert_allclose(state.model["b.bias"], 1.4, rtol=1e-5)
    # Who has answered is not asked again, and the history has one line per site.
    assert asked.rounds == [1, 2]
    assert federation.codes(1) == dict.fromkeys(("site-1", "site-2", "site-3"), "ok")
    assert len(federation.history.entries()) == 6
    awaited = [event for event in federation.events if isinstance(event, SitesAwaited)]
    assert awaited == [SitesAwaited(round=1, sites={"site-3": code})]


def test_the_wait_for_an_approval_ends_with_an_error(
    federation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.01)
    with pytest.raises(RoundFailedError, match="site-3: not-approved"):
        federation.run({"site-3": saying("not-approved")}, min_results=3, approval_timeout_s=0.1)
    assert federation.codes(1)["site-1"] == "ok"


def test_nobody_waits_where_enough_sites_take_part(federation: Any) -> None:
    federation.run({"site-3": saying("not-approved")})
    assert not [event for event in federation.events if isinstance(event, SitesAwaited)]
    assert federation.codes(2)["site-3"] == "not-approved"


def test_a_site_that_was_lost_in_a_round_is_asked_again(federation: Any, tmp_path: Any) -> None:
    app = partial(dying_once_app, str(tmp_path / "died"))
    state = federation.run(app=app, workers=2, min_results=3)
    np.testing.assert_allclose(state.model["b.bias"], 1.4, rtol=1e-5)
    assert federation.codes(1) == dict.fromkeys(("site-1", "site-2", "site-3"), "ok")


def test_a_site_that_is_lost_again_and_again_ends_the_study(federation: Any) -> None:
    with pytest.raises(RoundFailedError, match="2 usable results of the 3"):
        federation.run(app=dying_app, workers=2, min_results=3)
