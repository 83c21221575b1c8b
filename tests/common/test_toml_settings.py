"""Every TOML file that fedscan reads: what is written reads back, and what is wrong is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
from fedscan.client.policy import SitePolicy, load_policy
from fedscan.client.steward.data_sets import DataSet, Registry
from fedscan.client.steward.home import SiteHome, SiteSettings
from fedscan.common.toml_settings import read_toml, read_value, settings, validated, write_toml
from fedscan.common.toml_settings.schema import allowed_values
from fedscan.config.study import Study, load_study
from fedscan.errors import ConfigurationError
from fedscan.evaluation.gate import Gate, GateLine, load_gate
from fedscan.model.settings import VocabularySettings
from fedscan.model.words.tables import read_vocabulary
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

#: Every kind of file: its name, and how it is read.
READERS: dict[str, Callable[[Path], object]] = {
    "study.toml": load_study,
    "policy.toml": load_policy,
    "gate.toml": load_gate,
    "site.toml": lambda path: SiteHome(path.parent).settings(),
    "data.toml": lambda path: Registry(SiteHome(path.parent)).data_sets(),
    "vocabulary.toml": lambda path: read_vocabulary(path.parent),
}


def refused(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError) as caught:
        READERS[name](path)
    return str(caught.value)


#: What the files are read into.
ALL_SETTINGS = (Study, SitePolicy, Gate, SiteSettings, DataSet, VocabularySettings)

#: Pieces of TOML, put together at random: more of it parses than of random bytes.
pieces = st.lists(
    st.sampled_from(
        [
            *("[", "]", "[[", "]]", "{", "}", "=", ".", ",", '"', "'", '"""', "\\", "#", "\n", " "),
            *("privacy", "epsilon", "seed", "line", "measure", "name", "hours", "folder", "query"),
            *("1", "-1", "0x", "9" * 30, "9" * 5000, "nan", "inf", "1e999", "true", "1979-05-27"),
            *("07:32:00", "\u00e4", "\ufeff", "\x00", "\r", "\\ud800", "memory.loss_auc"),
        ]
    ),
    max_size=30,
).map("".join)
#: What parses, and is not what is asked for.
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.dates(),
    st.times(),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["privacy", "line", "name", "chest", "folder", "hours", "seed", ""])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
tables = st.dictionaries(
    st.sampled_from(["privacy", "line", "name", "chest", "hours", "seed"]) | st.text(max_size=3),
    values,
    max_size=4,
).map(tomli_w.dumps)


@pytest.mark.parametrize("name", READERS)
@given(content=st.binary(max_size=60) | (pieces | tables).map(str.encode))
@example(content=b"x = " + b"[" * 5000)
@example(content=b"x = " + b"{x=" * 5000)
@example(content=b".".join([b"x"] * 3000) + b" = 1")
@example(content=b"x = " + b"9" * 5000)
@example(content=b"seed = 0x" + b"f" * 5000)
@example(content=b"name = " + b"9" * 30)
def test_whatever_a_file_holds_it_is_read_or_refused_in_words(name, content, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    told = None
    try:
        READERS[name](path)
    except ConfigurationError as error:
        # It can be printed, whatever the file held.
        told = str(error).encode()
    own = (name, "name of a data set", "The vocabulary has words that cannot be")
    assert told is None or any(words.encode() in told for words in own)


@pytest.mark.parametrize("name", READERS)
def test_a_byte_order_mark_is_passed_over(name, tmp_path):
    content = {
        "study.toml": "seed = 7",
        "policy.toml": "min_patients = 7",
        "gate.toml": '[[line]]\nmeasure = "a.b"\nat_most = 7',
        "site.toml": 'name = "north7"',
        "data.toml": '[chest7]\nfolder = "x"',
        "vocabulary.toml": '[[views]]\nword = "view 7"',
    }[name]
    (tmp_path / name).write_text(content, encoding="utf-8-sig")
    assert "7" in str(READERS[name](tmp_path / name))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x = ".encode("utf-16"), "is not UTF-8 text"),
        ("x =", "at end of document"),
        ("x = [" + "9" * 5000 + "]", "a number has thousands of digits"),
        ("x = 0x" + "f" * 5000, "x is a whole number of more than 64 bits"),
        ("x = " + "[" * 5000, "nested too deeply"),
        ("x." * 99 + "x = 1", "is nested more than 16 deep"),
    ],
)
def test_what_no_setting_can_be_is_told_plainly(name, content, said, tmp_path):
    assert said in refused(tmp_path, name, content)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("policy.toml", 'hours = "7"', "hours = '7': allowed is text, such as 19:00-07:00."),
        ("policy.toml", "epsilon_celling = 3", "Did you mean epsilon_ceiling?"),
        ("policy.toml", "zzz = 3", "The settings are epsilon_ceiling, delta"),
        ("policy.toml", "epsilon_ceiling = {a = 1}", "allowed is number, above 0, at most 100"),
        ("site.toml", 'name = "a b"', "name = 'a b': this cannot be a name; use up to 64"),
        ("site.toml", "", "name is missing"),
        ("site.toml", 'name = "a"\ndevize = "cpu"', "Did you mean device?"),
        ("data.toml", "chest = 3", "this is a section; write [chest]"),
        ("data.toml", '[chest]\nfoldr = "x"', "chest.foldr: there is no such setting. Did you"),
        ("data.toml", '[chest]\nfoldr = "x"', "chest.folder is missing: it must be text."),
        ("data.toml", '[chest]\nfolder = "x"\nquery = {A = 3}', "chest.query.A = 3: allowed is"),
        ("data.toml", '["a/b"]\nfolder = "x"', "'a/b' cannot be the name of a data set"),
        ("data.toml", '[chest]\nfolder = "x"\nname = "head"', "calls 'chest' 'head', too"),
        ("vocabulary.toml", "[[findings]]", "findings 1: word is missing: it must be text, such"),
        ("vocabulary.toml", "leave_out = 3", "leave_out = 3: allowed is list of text"),
        (
            "vocabulary.toml",
            '[[views]]\nword = "LL"\ncodes = ["7"]',
            "views 1: codes = '7': allowed is list of text, such as SCT:125605004 or RADLEX:",
        ),
        ("gate.toml", "", "line is missing: it must be list of tables, at least 1 of them."),
        ("gate.toml", "line = [3]", "line 1 = 3: this is a section; write [[line]]."),
        ("gate.toml", '[[line]]\nmeasure = "share"', "'share': allowed is text, such as memory."),
        ("gate.toml", '[[line]]\nmeasure = "a.b"\nat_mots = 1', "Did you mean at_most?"),
        ("gate.toml", '[[line]]\nmeasure = "a.b"\nzzz = 1', "line 1 has measure, at_least"),
        ("gate.toml", '[[line]]\nmeasure = "a.b"', "line 1: a line needs at_least, at_most or"),
    ],
)
def test_a_complaint_names_the_place_and_what_is_allowed(name, content, said, tmp_path):
    assert said in refused(tmp_path, name, content)


def test_a_wrong_table_in_a_list_is_told_once(tmp_path):
    text = '[[line]]\nmeasure = "a.b"\nat_most = 1\n[[line]]\nmeasure = "a.b"\nat_most = "much"\n'
    told = refused(tmp_path, "gate.toml", text)
    assert "has 1 problem:\n  line 2: at_most = 'much': allowed is number or left out." in told


@pytest.mark.parametrize("settings_type", ALL_SETTINGS)
def test_every_setting_with_a_pattern_has_an_example_that_is_shown_instead(settings_type):
    def patterns(node: object) -> list[dict]:
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        own = [node] if isinstance(node, dict) and isinstance(node.get("pattern"), str) else []
        return own + [found for part in inner for found in patterns(part)]

    schema = TypeAdapter(settings_type).json_schema()
    for node in patterns(schema):
        allowed = allowed_values(node, schema.get("$defs", {}))
        assert node["examples"][0] in allowed
        assert node["pattern"] not in allowed


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    name=names,
    query=st.dictionaries(texts, texts, max_size=3),
    modalities=st.lists(texts, max_size=3).map(tuple),
    url=texts,
)
def test_a_listed_data_set_reads_back_the_same(name, query, modalities, url, tmp_path_factory):
    home = SiteHome(tmp_path_factory.mktemp("home"))
    scans = home.folder / "scans"
    scans.mkdir()
    entry = DataSet(name=name, folder=str(scans), query=query, modalities=modalities, url=url)
    Registry(home).add(entry)
    assert Registry(home).data_sets() == {name: entry}


@given(name=names, coordinator=texts, base=texts)
def test_a_sites_settings_read_back_the_same(name, coordinator, base, tmp_path_factory):
    home = SiteHome(tmp_path_factory.mktemp("home"))
    written = SiteSettings(name=name, coordinator=coordinator, base=base)
    home.write_settings(written)
    assert home.settings() == written


lines = st.builds(
    lambda **given: {key: value for key, value in given.items() if value is not None},
    measure=st.from_regex(r"[a-z0-9_]{1,9}\.[a-z0-9_.]{1,9}", fullmatch=True),
    at_most=st.floats(allow_nan=False, allow_infinity=False),
    judge=st.sampled_from(["value", "interval"]),
    why=texts | st.none(),
)


@given(lines=st.lists(lines, min_size=1, max_size=4), name=texts)
def test_a_gate_is_read_as_it_is_written(lines, name, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "written gate.toml"
    path.write_text(tomli_w.dumps({"name": name, "line": lines}), "utf-8", newline="")
    expected = Gate(name=name, line=tuple(GateLine(**line) for line in lines))
    assert load_gate(path) == expected


@given(value=scalars)
def test_a_value_on_the_command_line_is_read_as_in_a_file(value):
    text = tomli_w.dumps({"value": value}).partition("=")[2].strip()
    assert json.dumps(read_value(text), default=str) == json.dumps(value, default=str)


def test_a_value_brings_no_other_settings():
    assert read_value("1\nother = 2") == "1\nother = 2"


def test_a_missing_file_is_told_with_what_to_do(tmp_path):
    with pytest.raises(ConfigurationError, match=r"The list \S+none cannot be read.* Do this\."):
        read_toml(tmp_path / "none", "The list", "Do this.")


def test_values_of_a_command_are_held_against_the_same_rules():
    with pytest.raises(ConfigurationError, match="The command has 1 problem"):
        validated(Study, {"seed": -1}, "The command")
    with pytest.raises(ConfigurationError, match="The command: seed is a whole number of more"):
        validated(Study, {"seed": 10**5000}, "The command")


def test_what_is_written_names_what_is_allowed():
    text = write_toml(settings(SitePolicy), lambda setting: setting.default)
    assert "at most 0.01)\ndelta = 1e-05\n" in " ".join(text.split("\n# "))
