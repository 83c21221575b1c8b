"""The audit by planted patients takes, to the bit, the steps that a site takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fedscan.client.answers import round as site_round
from fedscan.client.answers.asked import Asked
from fedscan.client.policy import SitePolicy, write_policy
from fedscan.client.site import Site
from fedscan.client.workspace import opened as workspace
from fedscan.config.study import Study
from fedscan.evaluation.canaries.image_rows import image_loss
from fedscan.evaluation.canaries.rehearsal import open_copy, rehearse, rehearse_round
from fedscan.evaluation.measures.image_sets import ImageSet
from fedscan.federation.protocol import RoundRequest, tensors_digest
from fedscan.model.storage import generator_digest, load_generator
from fedscan.privacy.descent import DescentSettings
from fedscan.server.job import WARM_UP
from fedscan.server.terms import site_terms
from fedscan.simulation.trained_study import site_training, start_of
from safetensors.numpy import save_file
from site_homes import begin_anew
from tiny_hospitals import write_hospitals

_ALL = (
    "privacy.draws_per_patient=3",
    "local.timestep_low=0.2",
    "local.timestep_high=0.7",
    "local.proximal_mu=0.1",
    "local.ema_decay=0.5",
    "local.momentum=0.6",
    "local.learning_rate=0.01",
)


@pytest.fixture
def site(tmp_path: Path, base: Path) -> Iterator[Site]:
    begin_anew()
    write_hospitals(tmp_path / "data", {"site": 5}, images=3)
    site = Site(name="site", data=tmp_path / "data" / "site", state=tmp_path / "state", base=base)
    policy = SitePolicy(
        min_patients=1,
        min_noise_multiplier=0.0,
        max_sample_rate=1.0,
        allow_non_private=True,
    )
    write_policy(site.policy, policy)
    yield site
    begin_anew()


@pytest.mark.parametrize(
    "changes",
    [
        (),
        # Steps of one patient or none, whose last bits are the most sensitive.
        ("privacy.sample_rate=0.3",),
        (*_ALL, "trainable.subset=adapters", "local.optimizer=momentum"),
        (*_ALL, "trainable.subset=lora", "local.optimizer=sgd"),
        (*_ALL, "trainable.subset=attention", "local.optimizer=adam"),
        (*_ALL, "privacy.enabled=false", "local.optimizer=momentum", "trainable.subset=adapters"),
    ],
)
def test_a_rehearsed_round_is_the_sites_own(
    site: Site,
    base: Path,
    make_study: Callable[..., Study],
    monkeypatch: pytest.MonkeyPatch,
    changes: tuple[str, ...],
) -> None:
    study = make_study("privacy.sample_rate=0.9", "local.steps=3", *changes)
    training = site_training(study)
    generator, parameters = open_copy(load_generator(base), training)
    request = RoundRequest(
        round=1,
        rounds=study.federation.rounds,
        base=generator_digest(base),
        terms=site_terms(study),
        tensors={name: value.detach().numpy().copy() for name, value in parameters.items()},
    )
    steps: dict[str, object] = {}
    secrets: list[bytes] = []
    real = site_round.run_private_steps
    stream = site_round.SecretStream

    def remembered(*args: object, **named: object) -> object:
        steps.update(named)
        return real(*args, **named)

    def opened(secret: bytes, label: str) -> object:
        secrets.append(secret)
        return stream(secret, label)

    monkeypatch.setattr(site_round, "run_private_steps", remembered)
    monkeypatch.setattr(site_round, "SecretStream", opened)
    reply = site_round.run_round(Asked.read(request, site))

    dataset = workspace.open_data(site, study.data, study.trainable, study.vocabulary).dataset
    images = ImageSet.of(
        (key, example) for key in dataset.train_patients for example in dataset.examples(key)
    )
    result = rehearse_round(
        parameters,
        # Patients draw by their place: the audit has its own order.
        replace(image_loss(generator, images, training.loss), patients=dataset.train_patients),
        training,
        mechanism=steps.get("mechanism"),
        steps=study.local.steps,
        expected_patients=steps.get("expected_patients", 1.0),
        secret=secrets[-1],
    )
    rehearsed = {name: value.numpy() for name, value in result.tensors.items()}
    assert tensors_digest(rehearsed) == tensors_digest(reply.tensors)
    assert any((rehearsed[name] != before).any() for name, before in request.tensors.items())


def test_the_studys_own_settings_reach_the_audit(make_study: Callable[..., Study]) -> None:
    training = site_training(make_study(*_ALL, "trainable.subset=adapters", "local.optimizer=sgd"))
    assert (training.loss.draws, training.loss.timestep_low, training.loss.timestep_high) == (
        3,
        0.2,
        0.7,
    )
    assert training.descent == DescentSettings(
        learning_rate=0.01, optimizer="sgd", momentum=0.6, proximal_mu=0.1, ema_decay=0.5
    )
    assert training.trainable.subset == "adapters"
    assert (training.rounds, training.round_steps, training.steps) == (2, 2, 4)


def test_an_audit_goes_round_by_round(
    base: Path, site: Site, make_study: Callable[..., Study]
) -> None:
    study = make_study("privacy.enabled=false", "local.steps=2", "local.ema_decay=0.5")
    training = site_training(study)
    dataset = workspace.open_data(site, study.data, study.trainable, study.vocabulary).dataset
    images = ImageSet.of(
        (key, example) for key in dataset.train_patients for example in dataset.examples(key)
    )

    def trained(steps: int) -> dict[str, torch.Tensor]:
        generator, parameters = open_copy(load_generator(base), training)
        loss = image_loss(generator, images, training.loss)
        rehearse(
            parameters,
            loss,
            training,
            mechanism=None,
            steps=steps,
            expected_patients=1.0,
            key=bytes(32),
        )
        return {name: value.detach().clone() for name, value in parameters.items()}

    three, again, two = trained(3), trained(3), trained(2)
    assert all(torch.equal(three[name], again[name]) for name in three)
    assert not all(torch.equal(three[name], two[name]) for name in three)


def test_the_audit_starts_from_what_the_warm_up_made(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = make_study()
    cold = dict(start_of(study, tmp_path).named_parameters())
    name = next(name for name in cold if name.startswith("unet."))
    (tmp_path / "run").mkdir()
    save_file({name: cold[name].detach().numpy() + 1}, tmp_path / "run" / WARM_UP)
    warm = dict(start_of(study, tmp_path).named_parameters())
    assert [one for one in warm if not torch.equal(warm[one], cold[one])] == [name]
    assert torch.equal(warm[name], cold[name] + 1)
