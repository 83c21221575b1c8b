"""What one part of an examination found, in a form that the report, card and gate all read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ..errors import DataError
from .measures.results import Interval

_CONFIG = ConfigDict(extra="forbid")
_Finite = Annotated[float, Field(allow_inf_nan=False)]
Cell = str | int | _Finite | None
Better = Literal["higher", "lower", ""]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Measure:
    """One number that a release gate can hold against a threshold.

    Attributes:
        name: Its key within the section, such as "feature_close_share"; a gate addresses it as
            "section.name".
        title: A few words for people.
        value: The number; ``None`` where it could not be measured, which ``note`` explains.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        unit: "HU", "mm", "%" or nothing.
        better: Which direction is better.
        note: What a reader must know to judge it.
        inconclusive: Whether what was looked at could have shown nothing, however bad things are;
            ``value`` is then ``None`` and ``note`` says why. Not the same as what there is no way
            to measure: a gate never passes on it.
    """

    name: str
    title: str
    value: _Finite | None
    low: _Finite | None = None
    high: _Finite | None = None
    unit: str = ""
    better: Better = ""
    note: str = ""
    inconclusive: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        title: str,
        estimate: Interval | None,
        better: Better = "",
        *,
        unit: str = "",
        note: str = "",
    ) -> Measure:
        """Make a measure of an estimate; of ``None`` one that could not be measured."""
        return cls(
            name=name,
            title=title,
            value=estimate.value if estimate else None,
            low=estimate.low if estimate else None,
            high=estimate.high if estimate else None,
            unit=unit,
            better=better,
            note=note,
        )


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Grid:
    """A table.

    Attributes:
        title: What it shows.
        columns: Heads of the columns.
        rows: One tuple for each row, as long as ``columns``; ``None`` is an empty cell.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Figure:
    """A picture.

    Attributes:
        title: What it shows, also for people who cannot see it.
        file: PNG file, relative to the examination's folder.
    """

    title: str
    file: str


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Section:
    """The outcome of one part of an examination.

    Attributes:
        key: Its name in files and in a gate: "utility", "anatomy", "memory", "fairness" ...
        title: Its question, such as "Does it remember patients?".
        summary: The answer in one paragraph of plain words, with its limits.
        measures: Numbers.
        tables: Tables.
        figures: Pictures.
    """

    key: str
    title: str
    summary: str
    measures: tuple[Measure, ...] = ()
    tables: tuple[Grid, ...] = ()
    figures: tuple[Figure, ...] = ()

    @classmethod
    def not_measured(cls, key: str, title: str, measure: Measure) -> Section:
        """Say why there is no such part: what its main measure, which has no value, notes."""
        summary = f"Not measured. {measure.note}"
        return cls(key=key, title=title, summary=summary, measures=(measure,))

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        values: dict[str, Any] = TypeAdapter(Section).dump_python(self, mode="json")
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Section:
        """Read what :meth:`to_dict` wrote.

        Raises:
            DataError: If the values are no section.
        """
        try:
            return TypeAdapter(cls).validate_python(values, strict=False)
        except ValidationError as error:
            raise DataError(
                "The file does not hold an examination's section.",
                hint="Run `fedscan examine` again.",
            ) from error
