"""The release gate: thresholds in a file, held against an examination line by line.

```toml
name = "our hospital's gate"

[[line]]
measure = "memory.feature_close_share"   # section.measure
at_most = 0.1
judge = "interval"                       # its conservative end, or "value"
why = "No more near-copies than unseen patients have."
```
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from ..common.toml_settings import read_settings
from .section import Measure, Section

_CONFIG = ConfigDict(extra="forbid")
_Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class GateLine:
    """One threshold, or two.

    Attributes:
        measure: Which measure, as "section.measure".
        at_least: The least that passes.
        at_most: The most that passes.
        judge: What is held against the threshold: the value, or the end of its 95 % interval
            that is further from passing. A measure without an interval fails with "interval".
        if_measured: Whether the line passes where the measure could not be taken or its section
            was not examined. Otherwise what is not known does not pass. What was looked at and
            could have shown nothing never passes.
        why: What the threshold stands for.
    """

    measure: Annotated[
        str, Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_.]+$", examples=["memory.loss_auc"])
    ]
    at_least: _Finite | None = None
    at_most: _Finite | None = None
    judge: Literal["value", "interval"] = "interval"
    if_measured: bool = False
    why: str = ""

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a line needs at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least={self.at_least} is above at_most={self.at_most}")

    @property
    def bound(self) -> str:
        """The threshold in words."""
        least = f"at least {self.at_least:g}" if self.at_least is not None else ""
        most = f"at most {self.at_most:g}" if self.at_most is not None else ""
        return " and ".join(part for part in (least, most) if part) + (
            ", by the interval" if self.judge == "interval" else ", by the value"
        )


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Gate:
    """Thresholds that a generator must meet to be released.

    Attributes:
        name: Name for people.
        line: The thresholds.
    """

    name: str = "the release gate"
    line: Annotated[tuple[GateLine, ...], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class LineOutcome:
    """What became of one line.

    Attributes:
        measure: "section.measure".
        bound: The threshold in words.
        found: What was found in words.
        passed: Whether it holds.
        why: What the threshold stands for.
    """

    measure: str
    bound: str
    found: str
    passed: bool
    why: str = ""


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class GateOutcome:
    """What became of a gate.

    Attributes:
        name: The gate's name.
        lines: Line by line.
    """

    name: str
    lines: tuple[LineOutcome, ...]

    @property
    def passed(self) -> bool:
        """Whether every line holds."""
        return not self.failures

    @property
    def failures(self) -> tuple[LineOutcome, ...]:
        """The lines that do not hold."""
        return tuple(line for line in self.lines if not line.passed)


def default_gate() -> Path:
    """File of the gate that ships with fedscan."""
    return Path(str(resources.files(__package__).joinpath("gate.toml")))


def load_gate(path: Path) -> Gate:
    """Read a gate.

    Raises:
        ConfigurationError: If the file cannot be read, a key is unknown or a value is not of its
            type; every problem is named.
    """
    return read_settings(
        Gate, path, what="The gate", hint="docs/examination.md shows what a gate's file holds."
    )


def hold(gate: Gate, sections: Sequence[Section]) -> GateOutcome:
    """Hold a gate against an examination's sections."""
    measures = {
        f"{section.key}.{measure.name}": measure
        for section in sections
        for measure in section.measures
    }
    sections_present = {
        section.key
        for section in sections
        if any(one.value is not None or one.inconclusive for one in section.measures)
    }
    return GateOutcome(
        name=gate.name,
        lines=tuple(
            _judge(
                line, measures.get(line.measure), line.measure.partition(".")[0] in sections_present
            )
            for line in gate.line
        ),
    )


def _judge(line: GateLine, measure: Measure | None, has_section: bool) -> LineOutcome:
    if measure is None and has_section:
        # A misspelt name must not pass as something that could not be measured.
        finding, is_met = "its section has no such measure", False
    else:
        finding, is_met = _held(line, measure)
    return LineOutcome(
        measure=line.measure, bound=line.bound, found=finding, passed=is_met, why=line.why
    )


def _held(line: GateLine, measure: Measure | None) -> tuple[str, bool]:
    if measure is None:
        return "its section was not examined, or measured nothing", line.if_measured
    if measure.inconclusive:
        return "looked at what could have shown nothing", False
    if measure.value is None:
        return "not measured", line.if_measured
    low, high = measure.low, measure.high
    if line.judge == "value":
        return f"{measure.value:.4g}", _within(line, measure.value, measure.value)
    if low is None or high is None:
        # One end alone can bound one side, such as a lower bound on epsilon.
        end = low if line.at_most is None else high if line.at_least is None else None
        if end is None:
            return f"{measure.value:.4g}, without the interval that the line needs", False
        return f"{measure.value:.4g}, bound {end:.4g}", _within(line, end, end)
    return f"{measure.value:.4g} ({low:.4g} to {high:.4g})", _within(line, low, high)


def _within(line: GateLine, low: float, high: float) -> bool:
    above = line.at_least is None or low >= line.at_least
    return above and (line.at_most is None or high <= line.at_most)
