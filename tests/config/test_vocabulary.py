"""A study's own words in its file: read strictly, written back, part of its digest."""

from __future__ import annotations

import pytest
from fedscan.config.study import Study, load_study, study_digest, study_to_toml
from fedscan.errors import ConfigurationError

OWN = """
[vocabulary]
start = "shipped"
leave_out = ["hernia"]

[[vocabulary.findings]]
word = "chordoma"
within = "lesion"
codes = ["ICD10:C41.2"]
names = ["clivus chordoma"]

[[vocabulary.body_parts]]
word = "skull base"
within = "head"
"""


def test_own_words_are_read_and_written_back(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(OWN)
    study = load_study(file)
    assert study.vocabulary.findings[0].word == "chordoma"
    assert study.vocabulary.body_parts[0].within == "head"
    again = tmp_path / "again.toml"
    again.write_text(study_to_toml(study))
    assert load_study(again) == study
    assert study_digest(study) != study_digest(Study())


def test_without_words_of_its_own_a_study_has_the_digest_of_before(tmp_path):
    text = study_to_toml(Study())
    assert "# [vocabulary]" in text
    file = tmp_path / "study.toml"
    file.write_text(text + '\n[vocabulary]\nstart = "base"\n')
    assert study_digest(load_study(file)) == study_digest(Study())
    assert study_digest(load_study(None, ["vocabulary.start=few"])) != study_digest(Study())


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ('[{word = "a, b"}]', "vocabulary.findings 1: word = 'a, b'"),
        ('[{word = "a"}, {wort = "b"}]', "vocabulary.findings 2: wort"),
        ('[{word = "a", within = "chest"}]', "findings 1: within = 'chest'"),
        ('[{word = "a", codes = ["C41"]}]', "findings 1: codes = 'C41'"),
        ("3", "vocabulary.findings = 3: allowed is list of tables"),
    ],
)
def test_a_wrong_word_is_named_with_its_place(value, problem):
    with pytest.raises(ConfigurationError, match="problem") as caught:
        load_study(None, [f"vocabulary.findings={value}"])
    assert problem in str(caught.value)
