"""A gate passes what meets every line, fails what does not, and takes no file that is wrong."""

from __future__ import annotations

import pytest
from fedscan.errors import ConfigurationError
from fedscan.evaluation.gate import Gate, GateLine, default_gate, hold, load_gate
from fedscan.evaluation.section import Measure, Section


def section(*measures: Measure) -> Section:
    return Section(key="memory", title="?", summary="", measures=measures)


SHARE = Measure(name="share", title="Share", value=0.10, low=0.05, high=0.20)


def outcome(measure: Measure | None, **bounds):
    gate = Gate(line=(GateLine(measure="memory.share", **bounds),))
    (line,) = hold(gate, [section(measure) if measure else section()]).lines
    return line


@pytest.mark.parametrize(
    ("bounds", "passes"),
    [
        ({"at_most": 0.15, "judge": "value"}, True),
        ({"at_most": 0.15}, False),  # the interval reaches above
        ({"at_most": 0.20}, True),
        ({"at_least": 0.08, "judge": "value"}, True),
        ({"at_least": 0.08}, False),  # the interval reaches below
        ({"at_least": 0.05, "at_most": 0.2}, True),
        ({"at_least": 0.05, "at_most": 0.19}, False),
    ],
)
def test_the_conservative_end_of_the_interval_decides(bounds, passes):
    assert outcome(SHARE, **bounds).passed is passes


def test_what_is_not_known_does_not_pass():
    unknown = Measure(name="share", title="Share", value=None)
    bare = Measure(name="share", title="Share", value=0.1)
    for measure in (None, unknown):
        assert not outcome(measure, at_most=1.0).passed
        assert outcome(measure, at_most=1.0, if_measured=True).passed
    assert not outcome(bare, at_most=1.0).passed
    assert outcome(bare, at_most=1.0, judge="value").passed


def test_one_end_bounds_one_side():
    bound = Measure(name="share", title="Epsilon", value=1.0, low=0.4)
    assert outcome(bound, at_least=0.3).passed
    assert not outcome(bound, at_most=8.0).passed


def test_a_gate_passes_when_every_line_does(tmp_path):
    file = tmp_path / "gate.toml"
    file.write_text(
        'name = "ours"\n[[line]]\nmeasure = "memory.share"\nat_most = 1\nwhy = "so"\n'
        '[[line]]\nmeasure = "memory.share"\nat_least = 0.5\n'
    )
    found = hold(load_gate(file), [section(SHARE)])
    assert [line.passed for line in found.lines] == [True, False]
    assert not found.passed
    assert found.failures[0].bound == "at least 0.5, by the interval"
    assert found.lines[0].why == "so"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line"),
        ("line = []", "line"),
        ('[[line]]\nmeasure = "memory.share"', "at_least, at_most or both"),
        ('[[line]]\nmeasure = "share"\nat_most = 1', "measure"),
        ('[[line]]\nmeasure = "a.b"\nat_most = "much"', "at_most"),
        ('[[line]]\nmeasure = "a.b"\nat_most = nan', "at_most"),
        ('[[line]]\nmeasure = "a.b"\nat_mots = 1.0', "at_mots"),
        ('[[line]]\nmeasure = "a.b"\nat_most = 1\njudge = "mean"', "judge"),
        ('[[line]]\nmeasure = "a.b"\nat_most = 1\nat_least = 2', "above"),
        ('nome = "x"\n[[line]]\nmeasure = "a.b"\nat_most = 1', "nome"),
        ("[[line", "TOML"),
    ],
)
def test_a_wrong_gate_is_refused_by_name(tmp_path, text, said):
    file = tmp_path / "gate.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        load_gate(file)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_gate(tmp_path / "none.toml")


def test_the_gate_that_ships_is_valid_and_explains_itself():
    gate = load_gate(default_gate())
    assert all(line.why for line in gate.line)
    sections = {line.measure.split(".")[0] for line in gate.line}
    assert sections == {"utility", "anatomy", "memory", "canaries"}


def test_a_misspelt_measure_never_passes():
    gate = Gate(line=(GateLine(measure="memory.shore", at_most=1.0, if_measured=True),))
    assert not hold(gate, [section(SHARE)]).passed
    assert hold(gate, []).passed
    # A section that measured nothing names fewer measures than one that did.
    nothing = Measure(name="share", title="Share", value=None)
    assert hold(gate, [section(nothing)]).passed


def test_what_could_have_shown_nothing_never_passes():
    blind = Measure(name="share", title="Share", value=None, inconclusive=True)
    for if_measured in (False, True):
        line = outcome(blind, at_most=1.0, if_measured=if_measured)
        assert not line.passed
        assert "could have shown nothing" in line.found
    # It was examined: a misspelt name does not pass either.
    gate = Gate(line=(GateLine(measure="memory.shore", at_most=1.0, if_measured=True),))
    assert not hold(gate, [section(blind)]).passed
