"""A study: strict values, all complaints at once, a lossless TOML form."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from fedscan.config.study import Study, load_study, study_digest, study_settings, study_to_toml
from fedscan.errors import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st


def complaint(tmp_path: Path, text: str) -> str:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_study(path)
    return str(caught.value)


def test_without_a_file_all_defaults_hold():
    assert load_study() == Study()


def test_every_setting_is_documented():
    assert [s.path for s in study_settings() if len(s.description) < 10] == []


def test_file_and_overrides_combine_and_the_last_wins(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('name = "a"\n[privacy]\nepsilon = 3\ndelta = 1e-6\n')
    study = load_study(path, ["privacy.epsilon=4", "name=b", "privacy.epsilon=5", "seed=7"])
    assert (study.name, study.seed) == ("b", 7)
    assert (study.privacy.epsilon, study.privacy.delta) == (5.0, 1e-6)


def test_override_of_a_text_needs_no_quotes_even_if_it_looks_like_a_number():
    assert load_study(overrides=["name=2026"]).name == "2026"
    assert load_study(overrides=['name="quoted"']).name == "quoted"


def test_all_problems_are_named_at_once(tmp_path):
    message = complaint(
        tmp_path,
        'seed = "x"\n[privacy]\nepsilom = 3\nepsilon = -1\n[generator]\nsize = "huge"\n',
    )
    assert "4 problems" in message
    assert "privacy.epsilom: there is no such setting. Did you mean privacy.epsilon?" in message
    assert "privacy.epsilon = -1: allowed is number, above 0" in message
    assert "generator.size = 'huge': allowed is one of tiny, small, 128, base" in message
    assert "seed = 'x': allowed is whole number, at least 0" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epsilon = 3", "Did you mean privacy.epsilon?"),
        ("[privac]\nepsilon = 3", "Did you mean [privacy]?"),
        ("[zzz]\na = 3", "The sections are about, outlook, generator"),
        ("[privacy]\nzzz = 3", "[privacy] has enabled, epsilon, delta"),
        ("privacy = 3", "this is a section; write [privacy]"),
        ('[privacy]\nepsilon = "3"', "privacy.epsilon = '3': allowed is number"),
        ("[privacy]\nenabled = 1", "privacy.enabled = 1: allowed is true or false"),
        ("[privacy]\nepsilon = true", "privacy.epsilon = true: allowed is number"),
        ("[privacy]\nepsilon = nan", "privacy.epsilon = nan: allowed is number"),
    ],
)
def test_a_complaint_says_what_is_allowed(tmp_path, text, expected):
    assert expected in complaint(tmp_path, text)


def test_bad_toml_names_file_and_line(tmp_path):
    message = complaint(tmp_path, "name = 'a'\n[privacy]\nepsilon = = 3\n")
    assert "study.toml" in message
    assert "line 3" in message


def test_a_missing_file_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be read"):
        load_study(tmp_path / "none.toml")


@pytest.mark.parametrize("override", ["privacy.epsilon", "=3", "a.b.c=3", ".=3", "privacy.=1"])
def test_an_override_of_another_form_is_refused(override):
    with pytest.raises(ConfigurationError, match=r"section\.key=value"):
        load_study(overrides=[override])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("seed=" + "9" * 5000, "value of seed cannot be read: a number has thousands of digits"),
        ("seed=0x" + "f" * 5000, "seed is a whole number of more than 64 bits"),
        ("seed=" + "9" * 30, "seed is a whole number of more than 64 bits"),
        ("seed=" + "[" * 5000, "value of seed cannot be read: it is nested too deeply"),
        ("seed=" + "[" * 40 + "]" * 40, "is nested more than 16 deep"),
        ("name=\udcff", "name holds bytes that are not UTF-8 text"),
        ("\udcff=1", "holds bytes that are not UTF-8 text"),
        ("name=" + "9" * 5000, "allowed is text, at least 1 characters, at most 64"),
        ("name=" + "[" * 5000, "allowed is text, at least 1 characters, at most 64"),
        ("privacy.epsilon=4\nseed=3", "privacy.epsilon = '4\\nseed=3': allowed is number"),
        ("privacy.\x1b[2J=4", "privacy.'\\x1b[2J': there is no such setting"),
    ],
)
def test_an_override_that_cannot_be_a_value_is_told_plainly(override, said):
    with pytest.raises(ConfigurationError) as caught:
        load_study(overrides=[override])
    assert said in str(caught.value)


@given(st.text(max_size=30) | st.from_regex(r"[a-z_.]{1,12}=[0-9\[\]{}\"'=.,x]{0,20}"))
def test_any_override_is_taken_or_refused_in_words(override):
    try:
        study = load_study(overrides=[override])
    except ConfigurationError as error:
        study = None
        str(error).encode()
    assert study is None or load_study(overrides=[f"name={study.name!r}", override]) == study


def test_overrides_do_not_change_what_they_are_given():
    overrides = ["privacy.epsilon=4"]
    assert load_study(overrides=overrides) == load_study(overrides=tuple(overrides))


names = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=64)


@st.composite
def studies(draw: st.DrawFn) -> Study:
    study = Study(name=draw(names), seed=draw(st.integers(0, 2**31 - 1)))
    privacy = dataclasses.replace(
        study.privacy,
        enabled=draw(st.booleans()),
        epsilon=draw(st.floats(1e-3, 100)),
        delta=draw(st.floats(1e-10, 1e-2)),
    )
    size = draw(st.sampled_from(["tiny", "small", "base"]))
    generator = dataclasses.replace(study.generator, size=size, base=draw(st.text(max_size=20)))
    return dataclasses.replace(study, privacy=privacy, generator=generator)


@given(studies())
def test_toml_round_trip_loses_nothing(tmp_path_factory, study):
    path = tmp_path_factory.mktemp("round-trip") / "study.toml"
    path.write_text(study_to_toml(study), encoding="utf-8", newline="")
    again = load_study(path)
    assert again == study
    assert study_digest(again) == study_digest(study)


def test_the_digest_changes_with_any_value():
    digests = {
        study_digest(load_study(overrides=overrides))
        for overrides in ([], ["seed=1"], ["privacy.epsilon=2"], ["name=other"])
    }
    assert len(digests) == 4
    assert study_digest(load_study(overrides=["privacy.epsilon=4"])) == study_digest(Study())
