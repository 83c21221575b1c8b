"""What masks cost a site and the coordinator, and how much noise a joint sum saves.

Run: python benchmarks/joint_sums.py [--sites 100] [--numbers 1000000]

First the processor seconds of masking one vector for all others of a roster and of adding all
sites' vectors up, and the most memory that the adding takes besides one vector that comes. Every
site sends the first one's bytes: to mask for all of them takes as long as all sites together.

Then the noise in the mean of all patients' gradients, measured from the parts that sites with no
patients add up, against that of sites that add all of their noise each, at equal budgets: epsilon 8
against the coordinator and so many other sites. The joint study plans its spare attempts, too.
"""

from __future__ import annotations

import argparse
import math
import time
import tracemalloc

import numpy as np
from fedscan.federation.joint.context import SumContext
from fedscan.federation.joint.masks import MaskedTotal, add_masks
from fedscan.privacy.joint.grid import SumGrid
from fedscan.privacy.joint.plan import plan_joint
from fedscan.privacy.joint.sums import private_vector_sum
from fedscan.privacy.planning import plan_mechanism
from fedscan.privacy.settings import PrivacySettings
from fedscan.privacy.stream import SecretStream
from fedscan.privacy.study_costs import once_mechanisms

ROUNDS = 32
EPSILON = 8.0
PATIENTS = 100
CLIP_NORM = 1.0
#: Share of the budget that a warm-up takes.
STATISTICS_SHARE = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=100)
    parser.add_argument("--numbers", type=int, default=1_000_000)
    options = parser.parse_args()
    print_seconds(options.sites, options.numbers)
    print()
    print("| Sites | Colluding | Collusion epsilon | Noise, planned | measured | local | Share |")
    print("|---|---|---|---|---|---|---|")
    for sites, colluding, epsilon in ((3, 1, 20.0), (3, 0, 24.0), (10, 1, 20.0), (10, 1, 30.0)):
        print_noise(sites, colluding, epsilon)


def print_seconds(sites: int, numbers: int) -> None:
    names = [f"site-{number:03}" for number in range(sites)]
    context = SumContext(
        study="0" * 64,
        kind="round",
        round=1,
        attempt=1,
        request="1" * 64,
        members=tuple(names),
    )
    random = np.random.default_rng(0)
    values = random.integers(0, 2**32, numbers, dtype=np.uint32)
    secrets = {name: random.bytes(32) for name in names[1:]}
    begin = time.process_time()
    part = add_masks(values, names[0], secrets, context)
    at_site = time.process_time() - begin
    tracemalloc.start()
    total = MaskedTotal(numbers)
    begin = time.process_time()
    for _ in names:
        total.add(part)
    at_coordinator = time.process_time() - begin
    memory = tracemalloc.get_traced_memory()[1]
    print(f"{sites} sites, {numbers} numbers: a site masks in {at_site:.2f} s of processor time,")
    print(f"the coordinator adds up in {at_coordinator:.2f} s, in {memory / 2**20:.1f} MiB.")


def print_noise(sites: int, colluding: int, collusion_epsilon: float) -> None:
    joint = PrivacySettings(
        sum="joint",
        min_sites=sites,
        colluding_sites=colluding,
        collusion_epsilon=collusion_epsilon,
        epsilon=EPSILON,
        clip_norm=CLIP_NORM,
        statistics_share=STATISTICS_SHARE,
    )
    plan = plan_joint(joint, ROUNDS)
    share = plan.training.own.noise_multiplier
    grid, size = SumGrid(CLIP_NORM), 20_000
    parts = [
        private_vector_sum(
            [], size=size, share=share, grid=grid, stream=SecretStream(bytes([number]) * 32, "x")
        )
        for number in range(sites)
    ]
    total = np.sum(parts, axis=0, dtype=np.uint32)
    count = joint.sample_rate * PATIENTS * sites
    deviation = float(np.std(grid.values(total))) / count
    plan_deviation = share * CLIP_NORM * math.sqrt(sites) / count
    local = PrivacySettings(epsilon=EPSILON, clip_norm=CLIP_NORM, statistics_share=STATISTICS_SHARE)
    mechanism = plan_mechanism(
        epsilon=local.epsilon,
        delta=local.delta,
        sample_rate=local.sample_rate,
        steps=ROUNDS,
        in_study=once_mechanisms(local, statistics=True),
    )
    # The mean of n sites' noised means, each over its own patients.
    alone = mechanism.noise_multiplier * CLIP_NORM * math.sqrt(sites) / count
    print(
        f"| {sites} | {colluding} | {collusion_epsilon:g} | {plan_deviation:.5f} | {deviation:.5f} "
        f"| {alone:.5f} | 1/{alone / deviation:.2f} |"
    )


if __name__ == "__main__":
    main()
