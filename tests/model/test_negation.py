"""Every usual way to deny, doubt or date a disease is heard; what is stated stays stated."""

from __future__ import annotations

import re

import pytest
from fedscan.model.negation import Said, how_said
from hypothesis import given
from hypothesis import strategies as st

DISEASES = ("pneumonia", "covid-19", "stroke", "mass", "pleural effusion", "fracture")


def said(text: str, disease: str, *, lists: bool = True) -> Said:
    match = re.search(re.escape(disease), text.lower())
    assert match is not None
    return how_said(text.lower(), *match.span(), far=True, lists=lists)


DENIED = (
    "NEGATIVE FOR {}", "{} NEGATIVE", "{} excluded", "{} ruled out", "No {}", "no evidence of {}",
    "without {}", "w/o {}", "no signs of acute {}", "free of {}", "absence of {}", "lack of {}",
    "{} absent", "{} not seen", "{} is not present", "{}: no", "{} - none", "{}: negative",
    "{} (-)", "{} PCR negative", "{} test neg", "neg for {}", "{} has been excluded",
    "{} of the left side was ruled out", "patient denies {}", "never {}", "{} not detected",
    "{} no longer seen", "{} resolved", "{} negativ", "kein {}", "pas de {}",
    "No consolidation, {} or nodule", "No focal consolidation, abscess, or {}", "non-{}",
    "neither abscess nor {}", "{} could not be demonstrated and is absent",
)  # fmt: skip
DOUBTED = (
    "?{}", "{}?", "{} ?", "r/o {}", "rule out {}", "R/O acute {}", "to exclude {}", "query {}",
    "possible {}", "probable {}", "suspected {}", "suspicious for {}", "suspicion of {}",
    "concern for {}", "evaluate for {}", "eval {}", "assess for {}", "cannot exclude {}",
    "{} cannot be excluded", "{} not excluded", "{} unlikely", "{} is possible", "likely {}",
    "s/p {}", "status post {}", "Hx of {}", "h/o {}", "history of {}", "previous {}", "prior {}",
    "post {}", "after {}", "follow-up of {}", "f/u {}", "follow up {}", "screening for {}",
    "family history of {}", "risk of {}", "exposure to {}", "recovered from {}", "code {}",
    "CT {} PROTOCOL", "{} clinic", "{} unit", "{} screening", "{} GENERAL HOSPITAL CHEST",
    "{} centre", "{} Institute", "{} follow-up", "{} alert", "{} trial", "{} vs abscess",
    "V.a. {}", "Z.n. {}", "Verdacht auf {}", "presumed {}", "maybe {}", "surveillance {}",
)  # fmt: skip
STATED = (
    "{}", "acute {}", "bilateral {}", "{} with abscess", "{} of the left side", "left {}, healing",
    "known {}", "{} shown on the left", "{} and abscess", "{}, no abscess", "abscess, {}",
    "{} but no abscess", "{}. No abscess.", "no abscess but {}", "No abscess. {}",
    "no abscess; {} on the left", "CT chest {}", "old {}",
)  # fmt: skip


@pytest.mark.parametrize("disease", DISEASES)
@pytest.mark.parametrize("phrase", DENIED)
def test_what_is_denied(phrase, disease):
    assert said(phrase.format(disease), disease) is not Said.THERE


@pytest.mark.parametrize("disease", DISEASES)
@pytest.mark.parametrize("phrase", DOUBTED)
def test_what_is_doubted_past_or_a_mere_name(phrase, disease):
    assert said(phrase.format(disease), disease) is Said.DOUBTED


@pytest.mark.parametrize("disease", DISEASES)
@pytest.mark.parametrize("phrase", STATED)
def test_what_is_stated(phrase, disease):
    assert said(phrase.format(disease), disease) is Said.THERE


@given(
    st.sampled_from(DENIED + DOUBTED),
    st.sampled_from(DISEASES),
    st.sampled_from(["CXR: {}", "Chest PA. {}", "Cough, fever; {}", "{}.", "{}, please", "{} "]),
    st.sampled_from([str.upper, str.lower, str.title]),
)
def test_what_stands_around_it_does_not_matter(phrase, disease, around, case):
    text = case(around.format(phrase.format(disease)))
    assert said(text, disease) is not Said.THERE


def test_a_prompt_asks_for_what_follows_a_comma_and_a_report_does_not():
    assert said("no pneumonia, effusion", "effusion", lists=False) is Said.THERE
    assert said("no pneumonia, effusion", "effusion", lists=True) is Said.DENIED
    assert said("no pneumonia, effusion or mass", "effusion", lists=False) is Said.DENIED
    assert said("no pneumonia, effusion or mass", "mass", lists=False) is Said.DENIED


@pytest.mark.parametrize("text", ["t1 post contrast", "ct after contrast", "post gadolinium t1"])
def test_after_a_contrast_agent_is_no_history(text):
    start = re.search("contrast|gadolinium", text).start()
    assert how_said(text, start, len(text), far=True) is Said.THERE


@given(st.text(max_size=80), st.integers(0, 80), st.integers(0, 80), st.booleans(), st.booleans())
def test_any_text_is_heard(text, start, length, far, lists):
    start = min(start, len(text))
    assert how_said(text, start, min(start + length, len(text)), far=far, lists=lists) in Said
