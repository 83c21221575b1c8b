"""What a generator has learnt: told by its card, and judged against what is asked for."""

from __future__ import annotations

import pytest
from fedscan.model.description import Description
from fedscan.model.words.learnt import KEY, Learnt, combinations_of
from fedscan.model.words.tables import shipped_words
from hypothesis import given
from hypothesis import strategies as st

WORDS = shipped_words()
FILM = Description(modality="X-ray", body_part="chest", finding="pneumonia")
BASE = Learnt(
    frozenset(
        combinations_of(
            [
                FILM,
                Description(modality="CT", body_part="head", finding="lesion"),
                Description(modality="T1-weighted MR", body_part="head"),
            ]
        )
    )
)


def shown(modality: str, part: str = "", *findings: str, **more: str) -> Description:
    place = WORDS.find(part, "body part")
    region = place.within if place else "body"
    finer = place.word if place and place.word != place.within else ""
    description = Description(modality=modality, body_part=region, part=finer, **more)
    return WORDS.with_findings(description, [w for f in findings if (w := WORDS.find(f))])


@pytest.mark.parametrize(
    ("asked", "never"),
    [
        (FILM, ()),
        (shown("X-ray", "chest"), ()),
        (shown("MR", "head"), ()),
        (shown("X-ray", "breast"), ("X-ray of the breast",)),
        (shown("MR", "knee"), ("MR of the knee",)),
        (shown("ultrasound", "fetus"), ("ultrasound of the fetus",)),
        (shown("MR", "head", sequence="FLAIR"), ("FLAIR MR of the head",)),
        (shown("CT", "head", "pneumonia"), ("CT of the head with pneumonia",)),
        (
            shown("X-ray", "chest", "pneumonia", "cardiomegaly"),
            ("X-ray of the chest with cardiomegaly",),
        ),
    ],
)
def test_what_a_base_never_saw_is_named(asked, never):
    verdict = BASE.judge(asked, places_named=True)
    assert verdict.never == never
    assert verdict.doubtful == ()


def test_without_a_place_any_place_of_the_modality_will_do():
    assert BASE.judge(shown("X-ray"), places_named=False).never == ()
    assert BASE.judge(shown("ultrasound"), places_named=False).never == ("ultrasound",)


def test_a_study_adds_what_may_be_known_of_it_and_leaves_doubt_elsewhere():
    told = BASE.with_study(regions=[("X-ray", "limb", "other finding")])
    hand = told.judge(shown("X-ray", "hand", "fracture"), places_named=True)
    assert (hand.never, hand.doubtful) == ((), ("X-ray of the hand",))
    assert told.judge(shown("MR", "knee"), places_named=True).never == ("MR of the knee",)
    # Of a place that was seen, rarer findings are in no statistics.
    assert told.judge(shown("CT", "head", "glioma"), places_named=True).doubtful
    silent = BASE.with_study()
    assert silent.judge(shown("MR", "knee"), places_named=True).doubtful == ("MR of the knee",)
    exact = BASE.with_study(exact=combinations_of([shown("X-ray", "hand", "fracture")]))
    sure = exact.judge(shown("X-ray", "hand", "fracture"), places_named=True)
    assert (sure.never, sure.doubtful) == ((), ())


_PARTS = st.sampled_from([word.word for word in WORDS.of_kind("body part")])
_FINDINGS = st.lists(st.sampled_from([w.word for w in WORDS.of_kind("finding")]), max_size=3)
_SHOWN = st.builds(
    lambda modality, part, findings: shown(modality, part, *findings),
    st.sampled_from(["CT", "X-ray", "MR", "T1-weighted MR", "ultrasound"]),
    _PARTS,
    _FINDINGS,
)


@given(st.lists(_SHOWN, max_size=8), st.booleans())
def test_a_card_says_it_and_what_was_seen_is_never_refused(seen, with_study):
    learnt = Learnt(frozenset(combinations_of(seen)))
    if with_study:
        learnt = learnt.with_study(regions=[("CT", "head", "lesion")])
    assert Learnt.from_card({KEY: learnt.to_card()}) == learnt
    for one in seen:
        verdict = learnt.judge(one, places_named=True)
        assert (verdict.never, verdict.doubtful) == ((), ())
        assert one.place in learnt.places(one.modality)
        assert set(one.known_findings) <= set(learnt.findings(one.modality, one.place))


def test_a_card_without_a_word_on_it_tells_nothing():
    assert Learnt.from_card({"name": "a base"}) is None
    with pytest.raises(ValueError, match="known form"):
        Learnt.from_card({KEY: {"combinations": 3}})
