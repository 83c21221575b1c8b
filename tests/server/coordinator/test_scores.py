"""Released scores are summed over sites, and the best round is told from the last, or not."""

from __future__ import annotations

from pathlib import Path

import pytest
from fedscan.errors import CheckpointError, ProtocolError
from fedscan.federation.scores import ScoreReport
from fedscan.model.statistics.scores import BETTER, BINS, CELLS
from fedscan.server.coordinator.scores import (
    SCORES,
    ScoredRound,
    add_report,
    note_export,
    scored_rounds,
)


def release(run: Path, number: int, site: str, better: float, *, deviation: float = 1.0) -> None:
    """Let a site release that so many of a hundred patients are fitted better."""
    numbers = [0.0] * CELLS
    numbers[0], numbers[BETTER] = better, 100 - better
    numbers[BINS:] = [40.0, 10.0, 10.0, 40.0]
    digest = f"{number:064x}"
    note_export(run, digest, number)
    add_report(
        run,
        ScoreReport(
            site=site,
            study="ab" * 32,
            generator=digest,
            finding="lesion",
            numbers=tuple(numbers),
            deviation=deviation,
        ),
    )


def by_round(run: Path) -> dict[int, ScoredRound]:
    return {one.round: one for one in scored_rounds(run)}


def test_sites_are_summed_and_the_best_is_told_from_the_last(tmp_path: Path) -> None:
    for number, (north, south) in {2: (55, 63), 4: (85, 95), 6: (50, 60)}.items():
        release(tmp_path, number, "north", north)
        release(tmp_path, number, "south", south)
    rounds = by_round(tmp_path)
    assert rounds[4].sites == ("north", "south")
    assert rounds[4].better is not None
    assert rounds[4].better.value == pytest.approx(0.9)
    assert [(n, one.is_best, one.is_last) for n, one in rounds.items()] == [
        (2, False, False),
        (4, True, False),
        (6, False, True),
    ]
    assert (rounds[2].apart, rounds[4].apart, rounds[6].apart) == (False, True, False)
    assert rounds[4].right is not None
    assert rounds[4].right.value == pytest.approx(0.8)


def test_what_noise_covers_is_told_from_nothing(tmp_path: Path) -> None:
    release(tmp_path, 1, "north", 55, deviation=12.0)
    release(tmp_path, 2, "north", 70, deviation=12.0)
    rounds = by_round(tmp_path)
    assert rounds[2].is_best
    assert rounds[2].is_last
    assert not rounds[1].apart
    release(tmp_path, 3, "north", 70, deviation=90.0)
    assert by_round(tmp_path)[3].better is None
    assert by_round(tmp_path)[2].is_last, "a round of which nothing is told is no measure"


def test_a_newer_report_replaces_the_sites_earlier_one(tmp_path: Path) -> None:
    release(tmp_path, 1, "north", 55)
    release(tmp_path, 1, "north", 80)
    (only,) = scored_rounds(tmp_path)
    assert only.better is not None
    assert (only.sites, only.better.value) == (("north",), pytest.approx(0.8))


def test_what_is_no_report_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    assert scored_rounds(tmp_path) == []
    release(tmp_path, 1, "north", 55)
    few = ScoreReport(
        site="south",
        study="ab" * 32,
        generator=f"{1:064x}",
        finding="lesion",
        numbers=(1.0, 2.0),
        deviation=1.0,
    )
    with pytest.raises(ProtocolError, match="2 numbers"):
        add_report(tmp_path, few)
    assert scored_rounds(tmp_path)[0].sites == ("north",)
    (tmp_path / SCORES).write_text("[]]")
    with pytest.raises(CheckpointError, match="damaged"):
        scored_rounds(tmp_path)
