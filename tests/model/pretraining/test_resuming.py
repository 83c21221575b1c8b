"""A training that was killed ends with the same bytes as one that was not."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from fedscan.errors import DataError
from fedscan.model.generator import build_generator
from fedscan.model.pretraining.autoencoder import train_autoencoder
from fedscan.model.pretraining.batches import BATCH
from fedscan.model.pretraining.denoiser import train_denoiser
from fedscan.model.pretraining.examples import ExampleBank, bank_of, join_banks
from fedscan.model.pretraining.pace import Duration, Pace
from fedscan.model.pretraining.timesteps import central_timesteps
from fedscan.model.pretraining.watch import Watch
from fedscan.model.settings import GeneratorSettings
from hypothesis import given
from hypothesis import strategies as st


class Killed(BaseException):
    """Stands for a process that ends at any point: nothing catches it."""


@pytest.fixture
def bank():
    rng = np.random.default_rng(0)
    return ExampleBank(
        images=rng.uniform(-1, 1, (40, 32, 32)).astype(np.float16),
        masks=np.zeros((40, 32, 32), np.uint8),
        captions=np.array(["chest X-ray"] * 40),
        positions=np.full(40, 0.5, np.float32),
        chances=np.full(40, 1 / 40),
    )


def kill_at(step):
    def tell(report):
        if report.images > step * 32:
            raise Killed

    return Watch(tell, 1000)


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("stage", ["denoiser", "autoencoder"])
def test_killed_in_the_middle_it_ends_with_the_same_weights(stage, bank, tmp_path):
    def train(state, watch=None, start=0):
        tiny = build_generator(GeneratorSettings(size="tiny"), seed=start)
        torch.manual_seed(start)  # whatever another process has drawn before does not count
        options = {"seed": 3, "state": state, "watch": watch, "pause_every": 2}
        if stage == "denoiser":
            train_denoiser(tiny, bank, Duration(images=6 * BATCH), **options)
            return weights(tiny.unet) | weights(tiny.adapter)
        train_autoencoder(tiny, bank, Duration(images=6 * 32), **options)
        return weights(tiny.autoencoder)

    whole = train(tmp_path / "whole.pt")
    with pytest.raises(Killed):
        train(tmp_path / "killed.pt", kill_at(3))
    resumed = train(tmp_path / "killed.pt")
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


_SCRIPT = """
import hashlib, sys
import numpy as np
from fedscan.model.generator import build_generator
from fedscan.model.pretraining.denoiser import train_denoiser
from fedscan.model.pretraining.examples import ExampleBank
from fedscan.model.pretraining.pace import Duration
from fedscan.model.settings import GeneratorSettings

bank = ExampleBank(
    images=np.random.default_rng(0).uniform(-1, 1, (40, 32, 32)).astype(np.float16),
    masks=np.zeros((40, 32, 32), np.uint8),
    captions=np.array(["chest X-ray"] * 40),
    positions=np.full(40, 0.5, np.float32),
    chances=np.full(40, 1 / 40),
)
tiny = build_generator(GeneratorSettings(size="tiny"))
train_denoiser(tiny, bank, Duration(images=640), seed=3, state=sys.argv[1], pause_every=2)
digest = hashlib.sha256()
for value in tiny.unet.state_dict().values():
    digest.update(value.numpy().tobytes())
print(digest.hexdigest())
"""


def test_killed_by_the_system_it_ends_with_the_same_bytes(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(_SCRIPT.replace("sys.argv[1]", "pathlib.Path(sys.argv[1])"))
    script.write_text("import pathlib\n" + script.read_text())

    def run(state):
        return subprocess.Popen(
            [sys.executable, str(script), str(state)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    state = tmp_path / "killed.pt"
    with run(state) as killed:
        while not state.exists():
            assert killed.poll() is None
            time.sleep(0.01)
        killed.kill()
    with run(state) as resumed, run(tmp_path / "whole.pt") as whole:
        results = [process.communicate()[0] for process in (resumed, whole)]
    assert results[0] == results[1]
    assert len(results[0].strip()) == 64


def test_a_state_of_another_training_is_refused(bank, tmp_path):
    state = tmp_path / "state.pt"
    state.write_bytes(b"not a state")
    tiny = build_generator(GeneratorSettings(size="tiny"))
    with pytest.raises(DataError, match="does not hold the state"):
        train_denoiser(tiny, bank, Duration(images=BATCH), seed=0, state=state)


def test_losses_are_told_by_noise_level_and_fall_as_noise_rises(bank, tmp_path):
    reports = []
    tiny = build_generator(GeneratorSettings(size="tiny"))
    train_denoiser(
        tiny,
        bank,
        Duration(images=3 * BATCH),
        seed=0,
        state=tmp_path / "state.pt",
        watch=Watch(reports.append, 1000),
    )
    assert [report.images for report in reports] == [BATCH, 2 * BATCH, 3 * BATCH]
    assert reports[-1].share == pytest.approx(2 / 3)
    assert len(reports[-1].by_level) == 4
    assert all(level > 0 for level in reports[-1].by_level)


@given(st.integers(1, 500), st.integers(1, 64), st.integers(1, 90))
def test_a_stopped_pace_goes_on_with_the_rates_of_one_that_was_not(images, batch, stop):
    whole = list(Pace(Duration(images=images), 1.0, batch=batch, warm_up_steps=5))
    steps = [step for step, _ in whole]
    assert steps == list(range(-(-images // batch)))
    stop = min(stop, len(whole) - 1)
    rest = list(Pace(Duration(images=images), 1.0, batch=batch, warm_up_steps=5, step=stop))
    if stop:
        assert rest == whole[stop:]


def test_timesteps_are_drawn_around_the_middle_and_reach_both_ends():
    tiny = build_generator(GeneratorSettings(size="tiny"))
    drawn = central_timesteps(tiny, 20_000, torch.Generator().manual_seed(0))
    assert drawn.min() < 20
    assert drawn.max() > 980
    share = torch.histc(drawn.float(), 4, 0, 1000) / len(drawn)
    assert share[1] + share[2] > share[0] + share[3]
    # Of the logarithm of the signal-to-noise ratio the median is the one that was aimed at.
    kept = tiny.scheduler.alphas_cumprod[int(drawn.median())]
    assert float(torch.log(kept / (1 - kept))) == pytest.approx(-1.0, abs=0.4)


def test_no_patient_crowds_out_the_others_and_weights_hold_between_banks(make_example):
    many = bank_of([make_example() for _ in range(17)], ["a"] * 16 + ["b"])
    assert many.chances[:16].sum() == pytest.approx(4 * many.chances[16])
    joined = join_banks([(3.0, many), (1.0, bank_of([make_example()], ["c"]))])
    assert joined.chances.sum() == pytest.approx(1.0)
    assert joined.chances[17] == pytest.approx(0.25)
