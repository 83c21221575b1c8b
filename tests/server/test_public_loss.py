"""The loss that costs no privacy: the same for the same model, and larger for a damaged one."""

from __future__ import annotations

from pathlib import Path

import torch
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.server.checkpoint import FederationState
from fedscan.server.events import Event, LossMeasured
from fedscan.server.previews import Previews
from fedscan.server.public_loss import PublicLoss, measuring, public_images


def test_a_damaged_model_loses_more_and_a_mended_one_as_before() -> None:
    generator = build_generator(GeneratorSettings(size="tiny"))
    loss, state = PublicLoss(generator), torch.random.get_rng_state()
    before = loss.measure()
    assert loss.measure() == before
    with torch.no_grad():
        weight = generator.unet.conv_out.weight
        kept = weight.clone()
        weight.mul_(100)
        assert loss.measure() > before
        weight.copy_(kept)
    assert PublicLoss(generator).measure() == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_images_are_of_every_kind() -> None:
    captions = " ".join(public_images().captions)
    assert all(kind in captions for kind in ("CT slice", "MR slice", "X-ray"))
    assert (public_images().masks > 0).any(axis=(1, 2)).sum() > 12


def test_a_study_measures_before_its_first_round_and_after_each(
    tmp_path: Path,
) -> None:
    generator = build_generator(GeneratorSettings(size="tiny"))
    loaded: list[int] = []
    events: list[Event] = []
    previews = Previews(
        tmp_path,
        prompts=["chest X-ray, PA view"],
        generator=generator,
        load=lambda state: loaded.append(state.round),
        seed=0,
        measure=measuring(PublicLoss(generator), events.append),
    )
    previews.begin(FederationState(round=0, model={}))
    previews(FederationState(round=1, model={}), True)
    assert loaded == [0, 1]
    assert [one.round for one in events if isinstance(one, LossMeasured)] == [0, 1]
    silent = Previews(tmp_path, prompts=[], generator=generator, load=previews._load, seed=0)
    silent.begin(FederationState(round=0, model={}))
    assert loaded == [0, 1]
