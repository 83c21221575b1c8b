"""A steward is told what a study would learn for its budget, before anything is spent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from fedscan.client.policy import write_policy
from fedscan.client.steward.data_sets import Registry
from fedscan.client.steward.home import SiteHome
from fedscan.client.steward.proposal import propose
from fedscan.client.terms import StudyTerms
from fedscan.config.study import load_study
from fedscan.errors import ProtocolError
from fedscan.federation.protocol import RoundRequest
from fedscan.simulation.study_plan import plan_study
from site_homes import OPEN, invitation_of

Make = Callable[..., RoundRequest]


def told(home: SiteHome, request: RoundRequest) -> dict[str, str]:
    return dict(propose(home, invitation_of(request), Registry(home).get("chest")).facts)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((9, 30), "trained numbers are noise: the signal is 0.0"),
        ((900_000, 800_000), "trained numbers can be learnt: the signal is"),
    ],
)
def test_signal_and_noise_are_told_by_the_declared_sizes(
    home: SiteHome, make_request: Make, sizes: tuple[int, ...], words: str
) -> None:
    text = told(home, make_request(f"outlook.patients={list(sizes)}"))["Learns"]
    assert words in text
    assert ", ".join(f"{size:,}" for size in sorted(sizes, reverse=True)) in text
    assert "before anything is spent" in text
    assert "a typical study" in text


def test_it_is_the_sentence_that_the_plan_has(home: SiteHome, make_request: Make) -> None:
    request = make_request("outlook.patients=[300, 200]", "outlook.agreement=0.25")
    text = told(home, request)["Learns"]
    terms = StudyTerms.from_request(request)
    study = replace(
        load_study(
            None,
            [
                f"generator.base={home.settings().base}",
                "federation.rounds=2",
                "warm_up.enabled=false",
            ],
        ),
        privacy=terms.privacy,
        trainable=terms.trainable,
        local=terms.local,
        outlook=terms.outlook,
    )
    verdict = plan_study(study, [300, 200], measure=False).verdict
    assert text.startswith(verdict)
    assert "agree by 0.25 (measured on made-up patients)" in text


def test_what_cannot_be_told_is_said(home: SiteHome, make_request: Make) -> None:
    assert "does not say how many patients" in told(home, make_request())["Learns"]
    open_terms = make_request("privacy.enabled=false")
    assert "No noise" in told_openly(home, open_terms)


def told_openly(home: SiteHome, request: RoundRequest) -> str:
    write_policy(home.policy, replace(OPEN, allow_non_private=True))
    return told(home, request)["Learns"]


def test_what_was_chosen_and_why_is_among_what_is_approved(
    home: SiteHome, make_request: Make
) -> None:
    request = make_request("outlook.patients=[4]", "outlook.reason='attention, of all of them'")
    assert (
        "Chosen by the coordinator from public facts: attention, of all of them"
        in (told(home, request)["Trained"])
    )
    assert request.study() != make_request("outlook.patients=[4]").study()


def test_a_site_chooses_nothing(make_request: Make) -> None:
    terms = make_request().terms
    trainable = {**json.loads(terms["trainable"]), "subset": "auto"}
    with pytest.raises(ProtocolError, match="auto, which a site does not choose"):
        StudyTerms.from_texts({**terms, "trainable": json.dumps(trainable)})


def test_a_study_without_an_outlook_has_the_terms_that_it_had(make_request: Make) -> None:
    assert "outlook" not in make_request().terms
    # What is left open is low-rank updates in the terms of a study without sizes.
    assert json.loads(make_request("trainable.subset=auto").terms["trainable"])["subset"] == "lora"
