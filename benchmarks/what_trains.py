"""What few patients can teach: how many numbers to train at the same epsilon.

Run: python benchmarks/what_trains.py measure
     python benchmarks/what_trains.py train [--runs 3] [--only norms] [--rate 0.02] [--sum joint]

Made-up heads, which the base never saw. `measure` tells of each subset how long patients' gradients
are, and how well they agree at a clip norm that half of them exceed; on patients that nothing else
uses. `train` lets ten hospitals of 100 patients train it for epsilon 8, one step of everybody's a
round, with the noise that each adds by itself (`local`) or that all add together (`joint`, one of
them colluding), and without any (`none`). It measures how much less the generator errs on heads of
24 patients that it never saw: the share of the base's error that is gone. Clip norms are those that
`measure` found; other rates are to be tried with `--choosing`, on other heads. "words" is here
alone: a low-rank update of the captions' embeddings, one for all cross-attention layers, so that
each word of a caption can learn to mean something else.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from fedscan.config.study import Study, load_study
from fedscan.evaluation.canaries.image_rows import image_loss
from fedscan.evaluation.measures.image_sets import ImageSet
from fedscan.evaluation.memory.membership import loss_errors
from fedscan.model.generator import Generator
from fedscan.model.patient_loss import LossSettings
from fedscan.model.settings import TrainableSettings
from fedscan.model.storage import load_generator, shipped_base
from fedscan.model.trainable import select_trainable
from fedscan.privacy.clipping import flatten
from fedscan.privacy.descent import DescentSettings
from fedscan.privacy.dp_sgd import run_private_steps, run_unprotected_steps
from fedscan.privacy.gradients import patient_gradient
from fedscan.privacy.joint.plan import plan_joint
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.planning import plan_mechanism
from fedscan.privacy.stream import SecretStream
from fedscan.privacy.study_costs import once_mechanisms
from fedscan.simulation.agreement import made_up_patients
from torch import Tensor, nn

SITES, PATIENTS, HELD_OUT = 10, 100, 24
STEPS, DRAWS = 16, 1


class LearntWords(nn.Module):
    """Adds a low-rank function of a caption's embedded words to them; at first nothing.

    Args:
        width: Width of an embedded word.
        rank: Directions in which words are told apart.
    """

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.directions = nn.Linear(width, rank, bias=False)
        self.change = nn.Linear(rank, width, bias=False)
        nn.init.zeros_(self.change.weight)

    def forward(self, text: Tensor) -> Tensor:
        return text + self.change(self.directions(text))


def choose(generator: Generator, trainable: TrainableSettings | None) -> dict[str, nn.Parameter]:
    """Return what trains; for ``None`` the meaning of words."""
    if trainable is not None:
        return select_trainable(generator, trainable)
    unet = generator.requires_grad_(False).unet
    unet.encoder_hid_proj = LearntWords(unet.config.cross_attention_dim, rank=2)
    unet.register_to_config(encoder_hid_dim_type="text_proj")
    return dict(unet.encoder_hid_proj.named_parameters())


#: What trains, the clip norm that half of the gradients exceed, and the rate of Adam.
SUBSETS: dict[str, tuple[TrainableSettings | None, float, float]] = {
    "words": (None, 0.0019, 8e-3),
    "biases": (TrainableSettings(subset="biases"), 0.035, 8e-3),
    "norms": (TrainableSettings(subset="norms"), 0.083, 8e-3),
    "rank 1": (TrainableSettings(lora_rank=1), 0.17, 8e-3),
    "rank 2": (TrainableSettings(lora_rank=2), 0.085, 8e-3),
    "rank 8": (TrainableSettings(lora_rank=8), 0.05, 8e-3),
    "attention": (TrainableSettings(subset="attention"), 0.15, 1e-3),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("measure", "train"))
    parser.add_argument("--only", action="append", choices=tuple(SUBSETS))
    parser.add_argument("--sum", action="append", choices=("none", "local", "joint"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rate", type=float, action="append", help="Other rates of Adam.")
    parser.add_argument("--epsilon", type=float, default=8.0)
    parser.add_argument("--choosing", action="store_true", help="Heads kept for choosing.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.only or SUBSETS:
        trainable, clip, usual = SUBSETS[name]
        if options.what == "measure":
            measure(name, trainable)
            continue
        for noise, rate in product(options.sum or ("joint", "local"), options.rate or [usual]):
            for run in range(options.runs):
                began = time.perf_counter()
                share, ratio = train(
                    trainable, clip, rate, noise, options.epsilon, run, options.choosing
                )
                print(
                    f"| {name} | {noise} | {run} | {clip:g} | {rate:g} | {ratio:.2f} | "
                    f"{share:+.4f} | {time.perf_counter() - began:.0f} s |",
                    flush=True,
                )


def measure(name: str, trainable: TrainableSettings | None) -> None:
    generator = load_generator(shipped_base())
    loss = image_loss(generator, heads(48, seed=77), LossSettings(draws=4))
    parameters = choose(generator, trainable)
    stream = SecretStream(hashlib.sha256(b"what trains").digest(), "gradients")
    size = sum(value.numel() for value in parameters.values())
    gradients = torch.stack(
        [
            flatten(
                patient_gradient(parameters, loss, patient, stream),
                torch.empty(size),
                list(parameters.values()),
            )
            for patient in range(48)
        ]
    ).double()
    norms = gradients.norm(dim=1)
    clip = float(norms.quantile(0.5))
    contributions = gradients * (clip / norms).clamp_max(1)[:, None] / clip
    # Halves of different patients, so that what is particular to a few is not taken for shared.
    agreement = math.sqrt(max(0.0, float(contributions[:24].mean(0) @ contributions[24:].mean(0))))
    print(f"| {name} | {size:,} | {clip:.3g} | {agreement:.2f} |", flush=True)


def train(
    trainable: TrainableSettings | None,
    clip: float,
    rate: float,
    noise: str,
    epsilon: float,
    run: int,
    choosing: bool,
) -> tuple[float, float]:
    """Return the share of the base's error that is gone, and the multiple of noise in a sum."""
    generator = load_generator(shipped_base())
    strangers = heads(HELD_OUT, seed=302 if choosing else 202)
    before = _error(generator, strangers)
    images = heads(SITES * PATIENTS, seed=301 if choosing else 201)
    loss = image_loss(generator, images, LossSettings(draws=DRAWS))
    parameters = choose(generator, trainable)
    descent = DescentSettings(learning_rate=rate)
    stream = SecretStream(hashlib.sha256(f"run {run}".encode()).digest(), "what trains")
    settings = study(epsilon)
    rate_of_draw = settings.privacy.sample_rate
    multiple = noise_of_sum(settings, noise)
    if noise == "none":
        run_unprotected_steps(
            parameters,
            loss,
            population=SITES * PATIENTS,
            sample_rate=rate_of_draw,
            steps=STEPS,
            descent=descent,
            stream=stream,
        )
    else:
        run_private_steps(
            parameters,
            loss,
            population=SITES * PATIENTS,
            expected_patients=SITES * PATIENTS,
            mechanism=SubsampledGaussian(rate_of_draw, multiple, STEPS),
            clip_norm=clip,
            descent=descent,
            stream=stream,
        )
    return 1 - _error(generator, strangers) / before, multiple


def noise_of_sum(settings: Study, noise: str) -> float:
    """Return the noise multiplier of the sum over all sites."""
    privacy = settings.privacy
    if noise == "none":
        return 0.0
    if noise == "joint":
        joint = replace(privacy, sum="joint", min_sites=SITES, colluding_sites=1)
        own = plan_joint(joint, STEPS).minimum_share
    else:
        own = plan_mechanism(
            epsilon=privacy.epsilon,
            delta=privacy.delta,
            sample_rate=privacy.sample_rate,
            steps=STEPS,
            in_study=once_mechanisms(privacy, statistics=False),
        ).noise_multiplier
    return own * math.sqrt(SITES)


def study(epsilon: float) -> Study:
    return load_study(
        None,
        [
            f"privacy.epsilon={epsilon}",
            "privacy.collusion_epsilon=20",
        ],
    )


def _error(generator: Generator, images: ImageSet) -> float:
    return float(np.mean(loss_errors(generator, images, timesteps=8, noises=1, seed=5)))


@lru_cache(maxsize=4)
def heads(count: int, seed: int) -> ImageSet:
    return made_up_patients(64, seed, count)


if __name__ == "__main__":
    main()
