from xml.etree import ElementTree

import pytest
from fedscan.evaluation.measures.results import Interval
from fedscan.evaluation.report.bar_chart import Bar, bar_chart
from fedscan.evaluation.report.curves import curves
from fedscan.evaluation.report.interval_chart import IntervalRow, interval_chart
from fedscan.evaluation.report.line_chart import LineChart
from hypothesis import given
from hypothesis import strategies as st


def inside(drawn):
    """Parse a picture; every coordinate must lie within its frame."""
    root = ElementTree.fromstring(str(drawn))
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    for element in root.iter():
        for name, value in element.attrib.items():
            if name in {"x", "x1", "x2", "cx"}:
                assert -1 <= float(value) <= width + 1, (element.tag, name, value)
            if name in {"y", "y1", "y2", "cy"}:
                assert -6 <= float(value) <= height + 1, (element.tag, name, value)
    return root


points = st.lists(
    st.tuples(st.integers(1, 500), st.floats(-1e6, 1e6, allow_subnormal=False)), max_size=8
)


@given(
    series=st.dictionaries(st.text("ab<&\"'", max_size=4), points, max_size=4), zero=st.booleans()
)
def test_line_charts_stay_in_their_frame(series, zero):
    drawn = LineChart(title="t", series=series, zero=zero, limit=8.0, limit_name="ceiling").draw()
    if any(series.values()):
        inside(drawn)
    else:
        assert drawn == ""


def test_higher_values_are_drawn_higher_and_later_rounds_further_right():
    drawn = LineChart(title="t", series={"a": [(1, 1.0), (2, 3.0), (3, 2.0)]}).draw()
    dots = [e for e in inside(drawn).iter() if e.tag == "circle"]
    x = [float(dot.attrib["cx"]) for dot in dots]
    y = [float(dot.attrib["cy"]) for dot in dots]
    assert x[0] < x[1] < x[2]
    assert y[1] < y[2] < y[0]
    assert dots[1].find("title").text == "a, round 2: 3"


def test_lines_that_hide_each_other_are_announced():
    same = {"a": [(1, 5.0), (2, 7.0)], "b": [(1, 5.001), (2, 7.0)]}
    assert "all sites alike" in LineChart(title="t", series=same).draw()
    apart = {**same, "c": [(2, 5.0)]}
    assert "alike" not in LineChart(title="t", series=apart).draw()
    assert "alike" not in LineChart(title="t", series={"a": same["a"]}).draw()


@given(
    rows=st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(sorted),
        min_size=1,
        max_size=6,
    ),
    chance=st.sampled_from([0.5, 1 / 3]),
)
def test_interval_charts_stay_in_their_frame(rows, chance):
    drawn = interval_chart(
        [
            IntervalRow(name=f"<{i}>", interval=Interval(low=a, value=b, high=c), style="g-base")
            for i, (a, b, c) in enumerate(rows)
        ],
        title="t",
        axis="AUC",
        chance=chance,
    )
    root = inside(drawn)
    for dot, whisker in zip(
        [e for e in root.iter() if "dot" in e.attrib.get("class", "")],
        [e for e in root.iter() if "whisker" in e.attrib.get("class", "")],
        strict=True,
    ):
        left, right = float(whisker.attrib["x1"]), float(whisker.attrib["x2"])
        assert left - 0.1 <= float(dot.attrib["cx"]) <= right + 0.1


def test_bars_are_as_long_as_their_values():
    bars = [Bar(name="a", value=10.0, style="s"), Bar(name="b", value=5.0, style="s")]
    bars.append(Bar(name="c", value=-0.2, style="s"))
    drawn = inside(bar_chart(bars, title="t"))
    long, half, none = (float(e.attrib["width"]) for e in drawn.iter() if e.tag == "rect")
    assert long == pytest.approx(2 * half, abs=0.2)
    assert none < 2
    inside(bar_chart([Bar(name="z", value=0.0, style="s")], title="t"))
    assert bar_chart([], title="t") == ""


def test_rounds_that_failed_are_not_drawn(run):
    charts = {chart.title: chart for chart in curves(run)}
    norm = charts["Norm of the update"].series
    assert [number for number, _ in norm["north"]] == [1, 2, 3]
    assert [number for number, _ in norm["south"]] == [1, 2]
    assert charts["Privacy spent (ε)"].limit == 8


def test_long_names_have_room_beside_the_bars():
    name = "images of the generator that was trained longest"
    interval = Interval(value=0.7, low=0.6, high=0.8)
    rows = [IntervalRow(name=name, interval=interval, style="s0")]
    for drawn in (
        bar_chart([Bar(name=name, value=1.0, style="s0")], title="t"),
        interval_chart(rows, title="t", axis="a", chance=0.5),
    ):
        (label,) = [one for one in inside(drawn).iter() if one.text == name and "x" in one.attrib]
        assert float(label.attrib["x"]) > 7 * len(name), "it ends there, and begins in the frame"
