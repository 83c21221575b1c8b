"""Opened sums under attack: what colluders can prove stays below what the ledger counts.

One site plants canaries by coin tosses: patients whose whole gradient, as long as the clip norm,
lies in one coordinate each. An attacker sees the opened sum, subtracts what colluding sites know
of their own parts, and guesses the coins (Steinke et al. 2023, one run).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from fedscan.privacy.auditing import epsilon_lower_bound
from fedscan.privacy.joint.grid import SumGrid
from fedscan.privacy.joint.plan import both_epsilons
from fedscan.privacy.joint.shares import JointShare
from fedscan.privacy.joint.sums import private_vector_sum
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.stream import SecretStream

DELTA = 1e-5
CANARIES, GUESSES = 6000, 240
GRID = SumGrid(0.05)
HONEST, COLLUDING, SHARE = 9, 1, 1.0
COINS = np.random.default_rng(7).random(CANARIES) < 0.5
COUNTED = JointShare.of(SubsampledGaussian(1.0, SHARE, 1), honest=HONEST, minimum=SHARE)


def planted() -> Iterator[np.ndarray]:
    for place in np.flatnonzero(COINS):
        vector = np.zeros(CANARIES, np.float32)
        vector[place] = GRID.clip_norm
        yield vector


@cache
def parts(share: float = SHARE) -> list[np.ndarray]:
    """Each site's part of one sum; the first site has the canaries."""
    return [
        private_vector_sum(
            planted() if site == 0 else [],
            size=CANARIES,
            share=share,
            grid=GRID,
            stream=SecretStream(site.to_bytes(32, "big"), "audit"),
        )
        for site in range(HONEST + COLLUDING)
    ]


def proven(colluding: int, share: float = SHARE) -> float:
    """What an attacker proves who knows the parts of so many of the other sites."""
    opened = np.sum(parts(share), axis=0, dtype=np.uint32)
    for part in parts(share)[len(parts()) - colluding :]:
        opened -= part
    scores = GRID.values(opened)
    order = np.argsort(scores)
    absent, present = order[: GUESSES // 2], order[-GUESSES // 2 :]
    correct = int((~COINS[absent]).sum() + COINS[present].sum())
    return epsilon_lower_bound(canaries=CANARIES, guesses=GUESSES, correct=correct, delta=DELTA)


def test_colluders_within_what_was_planned_prove_no_more_than_epsilon() -> None:
    epsilon, _ = both_epsilons([COUNTED], DELTA)
    assert 0 <= proven(COLLUDING) <= epsilon
    assert proven(0) <= epsilon


def test_all_others_together_prove_more_than_epsilon_and_less_than_the_share_promises() -> None:
    epsilon, alone = both_epsilons([COUNTED], DELTA)
    assert epsilon < proven(HONEST + COLLUDING - 1) <= alone


def test_less_noise_than_was_paid_for_is_noticed() -> None:
    epsilon, _ = both_epsilons([COUNTED], DELTA)
    assert proven(COLLUDING, share=SHARE / 3) > epsilon


@pytest.mark.parametrize("colluding", [1, 2, 9])
def test_colluders_learn_exactly_the_honest_sites_sum(colluding: int) -> None:
    opened = np.sum(parts(), axis=0, dtype=np.uint32)
    for part in parts()[len(parts()) - colluding :]:
        opened -= part
    honest = np.sum(parts()[: len(parts()) - colluding], axis=0, dtype=np.uint32)
    assert np.array_equal(opened, honest)
