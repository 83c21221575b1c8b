"""Masks cancel in the sum of exactly the same sites in exactly the same context, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fedscan.errors import RosterError
from fedscan.federation.joint.context import SumContext, members_digest
from fedscan.federation.joint.masks import MaskedTotal, add_masks
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

NAMES = [f"site-{number}" for number in range(6)]


def _context(members: list[str]) -> SumContext:
    return SumContext(
        study="1" * 64,
        kind="round",
        round=3,
        attempt=1,
        request="2" * 64,
        members=tuple(sorted(members)),
    )


def _keys(site: str, members: tuple[str, ...], seed: int = 0) -> dict[str, bytes]:
    """Give each pair one random secret, the same from both sides."""
    return {
        other: np.random.default_rng([seed, *sorted(map(hash_of, (site, other)))]).bytes(32)
        for other in members
        if other != site
    }


def hash_of(name: str) -> int:
    return int.from_bytes(name.encode(), "big")


def _sum(vectors: dict[str, np.ndarray], contexts: dict[str, SumContext]) -> np.ndarray:
    total = MaskedTotal(len(next(iter(vectors.values()))))
    for site, values in vectors.items():
        context = contexts[site]
        total.add(add_masks(values, site, _keys(site, context.members), context))
    return total.total()


def _is_uniform(values: np.ndarray) -> bool:
    counts = np.bincount(values.view(np.uint8), minlength=256)
    return bool(stats.chisquare(counts).pvalue > 1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.sets(st.sampled_from(NAMES), min_size=2),
    st.integers(1, 300_000).filter(lambda size: size < 400 or size > 65_000),
    st.integers(0, 2**32 - 1),
)
def test_the_sum_of_all_members_is_exact(members: set[str], size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    context = _context(sorted(members))
    vectors = {site: random.integers(0, 2**32, size, dtype=np.uint32) for site in context.members}
    before = {site: values.copy() for site, values in vectors.items()}
    total = _sum(vectors, dict.fromkeys(vectors, context))
    expected = np.sum([values.astype(np.uint64) for values in before.values()], axis=0)
    np.testing.assert_array_equal(total, (expected % 2**32).astype(np.uint32))
    for site, values in before.items():
        np.testing.assert_array_equal(vectors[site], values)


@pytest.mark.parametrize("value", [0, 2**31 - 1])
def test_a_masked_vector_looks_the_same_whatever_is_in_it(value: int) -> None:
    context = _context(NAMES)
    first = add_masks(
        np.full(100_000, value, np.uint32), NAMES[2], _keys(NAMES[2], context.members), context
    )
    assert _is_uniform(first)
    assert abs(np.corrcoef(first[:-1].astype(float), first[1:].astype(float))[0, 1]) < 0.02


def test_to_all_but_one_other_member_it_is_still_uniform() -> None:
    context = _context(NAMES)
    site, honest = NAMES[0], NAMES[5]
    keys = _keys(site, context.members)
    left = add_masks(np.zeros(100_000, np.uint32), site, keys, context)
    for other in NAMES[1:5]:  # they open the masks that they share with it
        pair = replace(context, members=context.members)
        alone = {**dict.fromkeys(keys, bytes(32)), other: keys[other]}
        nothing = add_masks(
            np.zeros(100_000, np.uint32), site, dict.fromkeys(keys, bytes(32)), pair
        )
        left -= add_masks(np.zeros(100_000, np.uint32), site, alone, pair) - nothing
    assert _is_uniform(left)
    # With the last one, too, nothing is left: the check would notice a mask that is none.
    alone = {**dict.fromkeys(keys, bytes(32)), honest: keys[honest]}
    nothing = add_masks(np.zeros(100_000, np.uint32), site, dict.fromkeys(keys, bytes(32)), context)
    left -= add_masks(np.zeros(100_000, np.uint32), site, alone, context) - nothing
    assert not (left - nothing).any()


OTHERS = {
    "study": "3" * 64,
    "kind": "statistics",
    "round": 4,
    "attempt": 2,
    "request": "2" * 63 + "3",
}


@pytest.mark.parametrize("what", sorted(OTHERS))
def test_a_site_that_means_another_sum_leaves_it_uniform(what: str) -> None:
    context = _context(NAMES[:3])
    contexts = dict.fromkeys(context.members, context)
    contexts[NAMES[1]] = replace(context, **{what: OTHERS[what]})
    vectors = {site: np.full(100_000, 7, np.uint32) for site in context.members}
    assert _is_uniform(_sum(vectors, contexts))


def test_a_site_that_was_told_other_members_leaves_it_uniform() -> None:
    context = _context(NAMES[:3])
    contexts = dict.fromkeys(context.members, context)
    contexts[NAMES[1]] = _context(NAMES[:4])
    vectors = {site: np.full(100_000, 7, np.uint32) for site in context.members}
    assert _is_uniform(_sum(vectors, contexts))
    missing = {site: values for site, values in vectors.items() if site != NAMES[0]}
    assert _is_uniform(_sum(missing, dict.fromkeys(missing, context)))


def test_the_same_sum_has_the_same_masks_again() -> None:
    context = _context(NAMES)
    keys = _keys(NAMES[0], context.members)
    values = np.arange(1000, dtype=np.uint32)
    first, second = (add_masks(values, NAMES[0], keys, context) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("members", [["site-1", "site-2"], ["site-0"], []])
def test_nobody_is_masked_alone_or_for_a_sum_of_others(members: list[str]) -> None:
    context = _context(members)
    with pytest.raises(RosterError):
        add_masks(np.zeros(3, np.uint32), "site-0", _keys("site-0", tuple(NAMES)), context)


def test_a_missing_key_is_told() -> None:
    context = _context(NAMES[:3])
    with pytest.raises(RosterError, match="site-2"):
        add_masks(np.zeros(3, np.uint32), "site-0", {"site-1": bytes(32)}, context)


def test_members_are_known_by_one_digest_in_any_order() -> None:
    assert members_digest(["b", "a"]) == members_digest(("a", "b"))
    assert members_digest(["b", "a"]) != members_digest(["ba"])
