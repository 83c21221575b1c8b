"""What the sites released of generators' scores, summed: whether the model becomes better.

The numbers are noised at the sites, so that anything may be made of them here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from ...common.files import write_atomically
from ...errors import CheckpointError, ProtocolError
from ...federation.scores import ScoreReport
from ...model.statistics.scores import CELLS, Share, better_share, right_share

#: In a run's folder: what the sites released, and which round made which generator.
SCORES = "scores.json"
EXPORTED = "exported.json"

Value = TypeVar("Value")

_REPORTS = TypeAdapter(list[ScoreReport])
_ROUNDS = TypeAdapter(dict[str, int])


@dataclass(frozen=True, kw_only=True)
class ScoredRound:
    """One generator's scores over all sites that released them.

    Attributes:
        round: The round that made it.
        generator: Its digest.
        finding: The finding that it was asked to tell.
        sites: Who released numbers.
        better: Share of held-out patients whom it fits better than the base; ``None`` where noise
            covers them.
        right: Share of whom it tells the finding.
        is_best: Whether none has a larger share of patients whom it fits better.
        is_last: Whether none is of a later round.
        apart: Whether it can be told from the last one: whether 0 is outside the 95 % interval of
            their difference.
    """

    round: int
    generator: str
    finding: str
    sites: tuple[str, ...]
    better: Share | None
    right: Share | None
    is_best: bool = False
    is_last: bool = False
    apart: bool = False


def add_report(run: Path, report: ScoreReport) -> None:
    """Take a site's report in; a newer one of the same generator and finding replaces it.

    Args:
        run: The run's folder.
        report: The report, whose signature was checked.

    Raises:
        ProtocolError: If it has not as many numbers as there are.
    """
    if len(report.numbers) != CELLS:
        raise ProtocolError(
            f"The scores of site {report.site!r} have {len(report.numbers)} numbers, not {CELLS}.",
            hint="Coordinator and sites must run the same release of fedscan.",
        )
    reports = [one for one in read_reports(run) if _key(one) != _key(report)]
    content = [asdict(one) for one in (*reports, report)]
    write_atomically(run / SCORES, json.dumps(content, indent=2).encode())


def note_export(run: Path, generator: str, number: int) -> None:
    """Note which round made a generator."""
    rounds = {**exported_rounds(run), generator: number}
    write_atomically(run / EXPORTED, json.dumps(rounds, indent=2).encode())


def exported_rounds(run: Path) -> Mapping[str, int]:
    """Return the rounds whose generators were given out, by the generators' digests."""
    return _read(run / EXPORTED, _ROUNDS) or {}


def read_reports(run: Path) -> Sequence[ScoreReport]:
    """Return what the sites released."""
    return _read(run / SCORES, _REPORTS) or []


def scored_rounds(run: Path) -> list[ScoredRound]:
    """Return the scores of all generators, by round.

    Raises:
        CheckpointError: If a file is damaged.
    """
    rounds = exported_rounds(run)
    groups: dict[tuple[int, str, str], list[ScoreReport]] = {}
    for report in read_reports(run):
        if report.generator in rounds:
            key = (rounds[report.generator], report.finding, report.generator)
            groups.setdefault(key, []).append(report)
    rounds_with_scores = [
        _summed(number, generator, finding, reports)
        for (number, finding, generator), reports in sorted(groups.items())
    ]
    shares = [(one, one.better) for one in rounds_with_scores if one.better is not None]
    if not shares:
        return rounds_with_scores
    best = max(shares, key=lambda each: (each[1].value, each[0].round))[0]
    last, last_share = shares[-1]
    return [
        replace(
            one,
            is_best=one == best,
            is_last=one == last,
            apart=one.better is not None and _differ(one.better, last_share),
        )
        for one in rounds_with_scores
    ]


def _summed(
    number: int, generator: str, finding: str, reports: Sequence[ScoreReport]
) -> ScoredRound:
    numbers = [math.fsum(column) for column in zip(*(one.numbers for one in reports), strict=True)]
    deviation = math.hypot(*(one.deviation for one in reports))
    return ScoredRound(
        round=number,
        generator=generator,
        finding=finding,
        sites=tuple(sorted(one.site for one in reports)),
        better=better_share(numbers, deviation),
        right=right_share(numbers, deviation),
    )


def _differ(one: Share, other: Share) -> bool:
    """Return whether two shares differ, as if they were of other patients: on the safe side."""
    half = math.hypot((one.high - one.low) / 2, (other.high - other.low) / 2)
    return abs(one.value - other.value) > half


def _key(report: ScoreReport) -> tuple[str, str, str]:
    return (report.site, report.generator, report.finding)


def _read(path: Path, adapter: TypeAdapter[Value]) -> Value | None:
    if not path.exists():
        return None
    try:
        return adapter.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise CheckpointError(
            f"The scores in {path} are damaged.",
            hint="Remove the file, and take the sites' files in again.",
        ) from error
