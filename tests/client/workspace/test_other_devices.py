"""A site whose patients are shared out to several processes: the same bytes, paid for once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fedscan.client.policy import write_policy
from fedscan.client.site import Site
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.client.terms import StudyTerms
from fedscan.client.workspace import other_devices
from fedscan.client.workspace.device_process import DeviceJob
from fedscan.client.workspace.opened import Start, open_generator
from fedscan.client.workspace.other_devices import end_processes, linked_devices
from fedscan.config.study import load_study
from fedscan.errors import ModelError
from fedscan.evaluation.canaries.image_rows import image_loss
from fedscan.evaluation.measures.image_sets import ImageSet
from fedscan.federation.protocol import RoundReply, RoundRequest, tensors_digest
from fedscan.model.patient_loss import LossSettings
from fedscan.model.settings import TrainableSettings
from fedscan.phantoms.parametric import sample_examples
from fedscan.privacy.distributed.link import Link
from fedscan.privacy.distributed.messages import ROWS
from fedscan.privacy.engines import choose_engine
from fedscan.privacy.stream import SecretStream
from fedscan.server.terms import site_terms
from site_homes import OPEN, begin_anew, invitation_of, purposes

Ask = Callable[..., RoundReply]
Make = Callable[..., RoundRequest]

real_processes = pytest.mark.real_processes


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    end_processes()


@pytest.fixture
def approved(home: SiteHome, make_request: Make) -> Callable[[], RoundRequest]:
    """Make a request of an approved study in whose steps everybody is, one row a pass."""

    def make() -> RoundRequest:
        return make_request("privacy.sample_rate=1.0", "local.steps=2")

    write_policy(home.policy, replace(OPEN, epsilon_ceiling=100.0, max_sample_rate=1.0))
    Approvals(home).approve(invitation_of(make()), "chest")
    home.change_settings(rows_at_once=1)
    return make


def forget_answers(home: SiteHome) -> None:
    """Let the next answer be computed again, from the secret that is paid for."""
    shutil.rmtree(home.state("chest") / "answers")
    begin_anew()


@real_processes
def test_several_processes_answer_with_the_bytes_of_one(
    home: SiteHome, approved: Callable[[], RoundRequest], ask: Ask
) -> None:
    alone = ask(approved())
    forget_answers(home)
    home.change_settings(device="cpu,cpu,cpu")
    shared = ask(approved())
    assert (alone.code, shared.code) == ("ok", "ok")
    assert tensors_digest(shared.tensors) == tensors_digest(alone.tensors)
    # Another answer would have been a second attempt, and paid for.
    assert purposes(home) == ["patient count", "round 1"]
    assert len(other_devices._groups) == 1


@real_processes
def test_a_process_that_dies_fails_the_answer_and_nothing_is_paid_twice(
    home: SiteHome,
    approved: Callable[[], RoundRequest],
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home.change_settings(device="cpu,cpu")
    send, dead = Link.send, []

    def kill_first(link: Link, to: int, kind: int, tensors: dict[str, torch.Tensor]) -> None:
        send(link, to, kind, tensors)
        if kind == ROWS and not dead:
            (process,) = other_devices._groups[0]._processes
            process.kill()
            dead.append(process.wait())

    monkeypatch.setattr(Link, "send", kill_first)
    failed = ask(approved())
    assert (failed.code, dead) == ("model", [-9])
    assert purposes(home) == ["patient count", "round 1"]
    assert not other_devices._groups
    again = ask(approved())
    assert again.code == "ok"
    forget_answers(home)
    home.change_settings(device="cpu")
    assert tensors_digest(ask(approved()).tensors) == tensors_digest(again.tensors)
    assert purposes(home) == ["patient count", "round 1"]


@real_processes
def test_further_devices_open_what_the_first_did(base: Path, tmp_path: Path) -> None:
    """With what the warm-up changed, computed twice, and with the weights of the moment."""
    trainable = TrainableSettings(subset="attention")
    plain = open_generator(base, trainable, "cpu")
    name, frozen = next(
        (name, value)
        for name, value in plain.generator.named_parameters()
        if name.startswith("unet.") and name not in plain.parameters
    )
    start = Start("ab" * 32, {name: frozen.detach().numpy() + np.float32(0.1)})
    opened = open_generator(base, trainable, "cpu", start)
    opened.generator.compute_twice(True)
    rng, size = np.random.default_rng(0), opened.generator.image_size
    images = ImageSet.of(
        [
            (str(patient), example)
            for patient in range(3)
            for example in sample_examples(rng, image_size=size, per_volume=1)
        ]
    )
    loss = image_loss(opened.generator, images, LossSettings(draws=1))
    stream, parameters = SecretStream(bytes(32), "step"), opened.parameters
    site = Site(name="north", data=tmp_path, state=tmp_path, base=base, other_devices=("cpu",))
    terms = StudyTerms.from_texts(site_terms(load_study(None, ["trainable.subset=attention"])))

    def summed(link: Link | None) -> torch.Tensor:
        engine = choose_engine("auto", parameters, loss, 1, link)
        return engine.clipped_sum(parameters, [0, 1, 2], loss, 1.0, stream)

    with linked_devices(site, terms, opened) as link:
        assert link is not None
        shared = summed(link)
    with linked_devices(site, terms, opened) as link:  # kept from before
        assert torch.equal(summed(link), shared)
        kept = other_devices._groups[0]
    assert torch.equal(shared, summed(None))
    with linked_devices(site, terms, plain):  # another base than theirs
        assert other_devices._groups[0] is not kept


@real_processes
def test_a_process_that_does_not_come_up_is_told(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    opened = open_generator(base, TrainableSettings(subset="attention"), "cpu")
    site = Site(name="north", data=tmp_path, state=tmp_path, base=tmp_path, other_devices=("cpu",))
    terms = StudyTerms.from_texts(site_terms(load_study(None, ["trainable.subset=attention"])))
    with pytest.raises(ModelError, match="did not come up"), linked_devices(site, terms, opened):
        pass
    assert "ModelError" in capfd.readouterr().err  # at the site, where its log is


def test_one_device_needs_no_process(tmp_path: Path) -> None:
    site = Site(name="north", data=tmp_path, state=tmp_path, base=tmp_path)
    with linked_devices(site, None, None) as link:  # type: ignore[arg-type]
        assert link is None


def test_what_a_process_is_told_is_read_again() -> None:
    job = DeviceJob(
        meeting="/tmp/m",
        rank=2,
        size=3,
        base="/base",
        image_size=64,
        trainable=TrainableSettings(lora_rank=3),
        device="cuda:1",
        threads=4,
    )
    assert DeviceJob.from_line(job.to_line()) == job
