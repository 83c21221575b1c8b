"""What a site lets in and out: the real ClientApp, asked by a coordinator of any intent."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from asked_hospital import OPEN, Hospital
from fedscan.client.answers import opened_round
from fedscan.client.answers import round as site_round
from fedscan.client.policy import SitePolicy
from fedscan.client.workspace import opened as workspace
from fedscan.federation.protocol import RoundReply, RoundRequest, tensors_digest
from fedscan.model.patient_loss import DiffusionLoss
from fedscan.privacy.ledger.view import LedgerView
from flwr.app import ConfigRecord, RecordDict
from site_homes import begin_anew
from tiny_hospitals import write_hospitals


def test_a_repeated_request_gives_the_same_bytes_and_costs_nothing(
    hospital: Hospital, make_request: Callable[..., RoundRequest]
) -> None:
    first, second = hospital.ask(make_request()), hospital.ask(make_request())
    assert first.code == "ok"
    assert tensors_digest(first.tensors) == tensors_digest(second.tensors)
    assert [one.purpose for one in hospital.paid()] == ["patient count", "round 1"]


def test_repeated_rounds_in_8_bits_give_the_same_bytes_in_any_order(
    hospital: Hospital, make_request: Callable[..., RoundRequest]
) -> None:
    rounds = [make_request("federation.wire=int8", number=number) for number in (1, 2, 3)]
    first = [hospital.ask(request) for request in rounds]
    assert {array.dtype.name for array in first[2].tensors.values()} == {"int8", "float32"}
    for number in (2, 0, 1, 2):
        again = hospital.ask(rounds[number])
        assert tensors_digest(again.tensors) == tensors_digest(first[number].tensors)
    assert len(hospital.paid()) == 4
    shutil.rmtree(hospital.state / "feedback")
    # Without what it started from, round 3 would come out differently: what left is sent again.
    again = hospital.ask(rounds[2])
    assert tensors_digest(again.tensors) == tensors_digest(first[2].tensors)
    assert len(hospital.paid()) == 4


def test_another_request_gets_other_noise_of_the_same_size(
    hospital: Hospital, make_request: Callable[..., RoundRequest]
) -> None:
    changes = ("local.optimizer=sgd", "privacy.clip_norm=0.001")
    first, second = (hospital.ask(make_request(*changes, number=number)) for number in (1, 2))
    noises = [
        np.concatenate([value.ravel() - 0.01 for _, value in sorted(reply.tensors.items())])
        for reply in (first, second)
    ]
    assert abs(np.corrcoef(noises)[0, 1]) < 0.05
    assert np.std(noises[0]) == pytest.approx(np.std(noises[1]), rel=0.1)
    assert len({one.mechanisms for one in hospital.paid()[1:]}) == 1


def test_other_data_waits_for_the_next_study(
    hospital: Hospital, make_request: Callable[..., RoundRequest]
) -> None:
    # A ceiling above the study's epsilon leaves room for it.
    hospital.allow(replace(OPEN, epsilon_ceiling=20.0))
    first = hospital.ask(make_request())
    write_hospitals(hospital.data.parent, {"site": 5})
    begin_anew()
    second = hospital.ask(make_request())
    assert (first.code, second.code) == ("ok", "ok")
    assert tensors_digest(first.tensors) == tensors_digest(second.tensors)
    assert [one.purpose for one in hospital.paid()] == ["patient count", "round 1"]


def test_a_reply_holds_tensors_and_nothing_private(
    hospital: Hospital, make_request: Callable[..., RoundRequest]
) -> None:
    request = make_request()
    records = hospital.tell(request.to_records())
    assert set(records) == {"fedscan", "trainable"}
    assert set(records["fedscan"]) == {"version", "site", "request", "code", "weight"}
    assert records["fedscan"]["weight"] == 1.0
    assert set(records["trainable"]) == {"safetensors"}
    assert set(RoundReply.from_records(records).tensors) == set(request.tensors)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ValueError, "internal"),
        (KeyError, "internal"),
        (OSError, "internal"),
        (MemoryError, "model"),  # it was begun anew with less, and is too large for the machine
    ],
)
def test_no_word_of_an_error_crosses_the_border(
    hospital: Hospital,
    make_request: Callable[..., RoundRequest],
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Exception],
    code: str,
) -> None:
    def fail(parameters: object, loss: DiffusionLoss, **options: object) -> None:
        raise kind(f"Doe^Jane, pixel 4095, {loss.patients[0]}")

    monkeypatch.setattr(site_round, "run_private_steps", fail)
    records = hospital.tell(make_request().to_records())
    assert records["fedscan"]["code"] == code
    assert not records["trainable"]
    assert "Doe" not in repr(records)
    assert "4095" not in repr(records)
    assert "Doe^Jane" in (hospital.state / "site.log").read_text()


@pytest.mark.parametrize(
    ("policy", "changes"),
    [
        (replace(OPEN, min_patients=20), ()),
        (replace(OPEN, allowed_subsets=("lora",)), ()),
        (replace(OPEN, max_sample_rate=0.1), ()),
        (replace(OPEN, max_clip_norm=0.5), ()),
        (replace(OPEN, max_steps_per_round=1), ("local.steps=2",)),
        (OPEN, ("privacy.enabled=false",)),
        (OPEN, ("data.burned_in=refuse_marked",)),
    ],
)
def test_what_the_policy_does_not_allow_is_not_run(
    hospital: Hospital,
    make_request: Callable[..., RoundRequest],
    policy: SitePolicy,
    changes: tuple[str, ...],
) -> None:
    hospital.allow(policy)
    reply = hospital.ask(make_request(*changes))
    assert (reply.code, reply.site, dict(reply.tensors)) == ("privacy", "site", {})
    assert not (hospital.state / "ledger").exists()


def test_a_generator_that_mixes_patients_is_not_trained_privately(
    hospital: Hospital, make_request: Callable[..., RoundRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = workspace.open_generator
    mixing = torch.nn.BatchNorm2d(2)

    def with_batch_norm(*arguments: Any) -> workspace.OpenGenerator:
        found = opened(*arguments)
        generator = copy.copy(found.generator)
        generator._modules = {**generator._modules, "mixing": mixing}
        return replace(found, generator=generator)

    monkeypatch.setattr(opened_round, "open_generator", with_batch_norm)
    assert hospital.ask(make_request()).code == "privacy"
    assert not (hospital.state / "ledger").exists()
    assert "mixing (BatchNorm2d)" in (hospital.state / "site.log").read_text()


def test_without_a_policy_nothing_is_run(
    hospital: Hospital, make_request: Callable[..., RoundRequest]
) -> None:
    (hospital.state / "policy.toml").unlink()
    assert hospital.ask(make_request()).code == "configuration"
    assert not (hospital.state / "ledger").exists()


def test_a_site_pays_up_to_its_ceiling_and_no_further(
    hospital: Hospital, make_request: Callable[..., RoundRequest]
) -> None:
    hospital.allow(replace(OPEN, epsilon_ceiling=2.0))
    short = ("privacy.epsilon=8", "federation.rounds=1")
    assert hospital.ask(make_request(*short)).code == "ok"
    assert hospital.paid()[-1].epsilon <= 2.0
    assert hospital.ask(make_request(*short, "local.steps=2")).code == "budget-exceeded"
    assert hospital.paid()[-1].epsilon <= 2.0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"base": "0" * 64}, "model"),
        ({"round": 0}, "protocol"),
        ({"start": {"unet.other": np.zeros(3, np.float32)}}, "model"),
        ({"terms": {}}, "protocol"),
        ({"tensors": {"unet.other": np.zeros(3, np.float32)}}, "protocol"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(
    hospital: Hospital,
    make_request: Callable[..., RoundRequest],
    change: dict[str, object],
    code: str,
) -> None:
    assert hospital.ask(replace(make_request(), **change)).code == code


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("local", '{"steps": "many"}'),
        ("local", '{"steps": 0}'),
        ("local", '{"unknown": 1}'),
        ("privacy", "not JSON"),
        ("data", '{"image_size": 64}'),
    ],
)
def test_terms_out_of_range_are_refused(
    hospital: Hospital, make_request: Callable[..., RoundRequest], section: str, text: str
) -> None:
    request = make_request()
    assert hospital.ask(replace(request, terms={**request.terms, section: text})).code == "protocol"


def test_nonsense_is_answered_with_a_code(hospital: Hospital) -> None:
    for records in (RecordDict(), RecordDict({"fedscan": ConfigRecord({"version": 1})})):
        assert RoundReply.from_records(hospital.tell(records)).code == "protocol"


def test_a_site_that_does_not_know_itself_says_only_that(hospital: Hospital) -> None:
    hospital.config = {}
    reply = RoundReply.from_records(hospital.tell(RecordDict()))
    assert (reply.site, reply.code) == ("", "configuration")


def test_scans_that_are_gone_are_a_data_error(
    hospital: Hospital, make_request: Callable[..., RoundRequest]
) -> None:
    shutil.rmtree(hospital.data)
    assert hospital.ask(make_request()).code == "data"


def test_secrets_older_than_a_resume_can_reach_are_erased(
    hospital: Hospital, make_request: Callable[..., RoundRequest]
) -> None:
    for number in range(1, 7):
        reply = hospital.ask(make_request(number=number))
        assert reply.code == "ok"
    view = LedgerView.read(hospital.state / "ledger")
    kept = [one.record.purpose for one in view.book.reservations.values() if not one.erased]
    assert kept == ["round 3", "round 4", "round 5", "round 6"]
