"""One setting says where a generator computes, and all that it needs is brought there."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor
from fedscan.errors import ConfigurationError
from fedscan.model.computing.devices import resolve_device, resolve_devices, spread_devices
from fedscan.model.computing.effort import is_too_slow
from fedscan.model.example import LatentRows
from fedscan.model.generator import Generator
from fedscan.model.objective import diffusion_loss
from fedscan.model.settings import TrainableSettings
from fedscan.model.trainable import select_trainable


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyTorch say that the machine has two GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_without_a_gpu_all_is_computed_by_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert (resolve_device("auto"), resolve_device("cpu")) == ("cpu", "cpu")
    for setting in ("cuda", "cuda:0", "mps"):
        with pytest.raises(ConfigurationError, match="PyTorch finds"):
            resolve_device(setting)


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_is_found_and_several_are_taken_by_turns() -> None:
    assert resolve_device("auto") == "cuda"
    assert spread_devices("auto", 3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert spread_devices("cuda:1", 3) == ["cuda:1"] * 3
    assert spread_devices("cpu", 2) == ["cpu"] * 2
    with pytest.raises(ConfigurationError, match="'cuda:2', and PyTorch finds 2"):
        resolve_device("cuda:2")


@pytest.mark.usefixtures("two_gpus")
def test_several_devices_of_one_kind_share_a_sites_patients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {"cuda:0": "H200", "cuda:1": "H200"}
    monkeypatch.setattr(torch.cuda, "get_device_name", names.__getitem__)
    assert resolve_devices("cuda:0, cuda:1") == ("cuda:0", "cuda:1")
    assert resolve_devices("cuda,cuda:1") == ("cuda:0", "cuda:1")
    assert resolve_devices("cuda:1") == ("cuda:1",)
    assert resolve_devices("cpu,cpu,cpu") == ("cpu",) * 3
    for wrong, text in (
        ("cuda:0,cuda:0", "name a GPU twice"),
        ("cuda,cuda:0", "name a GPU twice"),
        ("cuda:0,cpu", "cannot share"),
        ("auto,auto", "cannot share"),
        ("cuda:0,cuda:2", "PyTorch finds 2"),
        ("cpu,", "The device is ''"),
    ):
        with pytest.raises(ConfigurationError, match=text):
            resolve_devices(wrong)
    # Two models round in two ways, and then an answer would depend on who computed what.
    names["cuda:1"] = "A100"
    with pytest.raises(ConfigurationError, match="several models: A100, H200"):
        resolve_devices("cuda:0,cuda:1")


@pytest.mark.parametrize("setting", ["gpu", "cuda:", "cuda:-1", "CPU", ""])
def test_what_is_no_device_is_refused(setting: str) -> None:
    with pytest.raises(ConfigurationError, match="The device is"):
        resolve_device(setting)


def test_only_a_cpu_with_a_base_of_many_weights_is_too_slow(
    tiny: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_too_slow(tiny)
    monkeypatch.setattr("fedscan.model.computing.effort._LARGE", 1000)
    assert is_too_slow(tiny)


def test_training_brings_everything_to_the_generators_device(tiny: Generator) -> None:
    """Without a GPU on the meta device, which has no numbers and mixes with no other."""
    tiny.to("meta")
    text = tiny.embed(["chest X-ray"] * 4)
    latents = tiny.encode(torch.zeros(4, 1, 32, 32))
    assert {part.device.type for part in (text, latents, tiny.decode(latents))} == {"meta"}
    rows = LatentRows(latents=latents, text=text, position=torch.zeros(4)).to("meta")
    times = torch.zeros(4, dtype=torch.long, device="meta")
    noise = torch.zeros(latents.shape, device="meta")
    assert diffusion_loss(tiny, rows, times, noise).device.type == "meta"


@pytest.mark.parametrize("subset", ["lora", "attention"])
def test_frozen_weights_in_half_precision_change_little_and_nothing_that_trains(
    tiny: Generator, subset: str
) -> None:
    rows = LatentRows(
        latents=tiny.encode(torch.rand(4, 1, 32, 32)),
        text=tiny.embed(["chest X-ray"] * 4),
        position=torch.rand(4),
    )
    times, noise = torch.tensor([10, 300, 600, 900]), torch.randn(rows.latents.shape)

    def gradients(kind: str) -> tuple[float, torch.Tensor]:
        settings = TrainableSettings(subset=subset, frozen_weights=kind)
        parameters = select_trainable(tiny, settings)
        assert {value.dtype for value in parameters.values()} == {torch.float32}
        loss = diffusion_loss(tiny, rows, times, noise).mean()
        # The fused attention is slow on its way back in half precision on a CPU.
        plain = {type(one) is AttnProcessor for one in tiny.unet.attn_processors.values()}
        assert plain == {kind == "bfloat16"}
        found = torch.autograd.grad(loss, list(parameters.values()))
        return float(loss.detach()), torch.cat([one.flatten() for one in found])

    whole_loss, whole = gradients("float32")
    before = sum(value.nbytes for value in tiny.unet.parameters())
    half_loss, half = gradients("bfloat16")
    assert sum(value.nbytes for value in tiny.unet.parameters()) < 0.8 * before
    assert half_loss == pytest.approx(whole_loss, rel=0.02)
    assert torch.cosine_similarity(whole, half, dim=0) > 0.98
