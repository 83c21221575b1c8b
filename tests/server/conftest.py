from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fedscan.config.study import load_study, study_to_toml
from fedscan.federation.scores import ScoreReport
from fedscan.model.marking import png_text, stack, strip
from fedscan.model.statistics.scores import BETTER, CELLS
from fedscan.server.coordinator.scores import add_report, note_export
from fedscan.server.event_log import EventLog
from fedscan.server.events import (
    GeneratorSaved,
    RoundFinished,
    RoundStarted,
    SiteFinished,
    SitesConnected,
)
from fedscan.server.history import History, HistoryEntry
from fedscan.server.previews import preview_file
from toy_federation import Federation

SITES = ("north", "south", "west")


class Watched:
    """Folder of a study that runs round by round, written as the server writes it."""

    def __init__(self, path: Path, rounds: int = 4) -> None:
        self.path, self.rounds = path, rounds
        study = load_study(None, ["name=Head CT", f"federation.rounds={rounds}"])
        (path / "run").mkdir(parents=True)
        (path / "study.toml").write_text(study_to_toml(study))
        self.now = 1_800_000_000.0
        self.history = History(path / "run" / "history.jsonl")
        self.events = EventLog(path / "run" / "events.jsonl", self._clock)

    def _clock(self) -> float:
        self.now += 7
        return self.now

    def connect(self) -> None:
        self.events(SitesConnected(sites=3, rounds=self.rounds, first_round=1))

    def round(
        self, number: int, codes: dict[str, str] | None = None, *, whole: bool = True
    ) -> None:
        codes = codes or dict.fromkeys(SITES, "ok")
        self.events(
            RoundStarted(round=number, rounds=self.rounds, sites=len(codes), request="0" * 64)
        )
        for place, (site, code) in enumerate(codes.items()):
            self.events(SiteFinished(round=number, site=site, code=code, seconds=10.0 + place))
        if not whole:
            return
        self.history.append(
            HistoryEntry(
                round=number,
                site=site,
                code=code,
                update_norm=0.5 + place / 4 + number / 20 if code == "ok" else 0.0,
                cosine=0.8 if code == "ok" else 0.0,
                seconds=10.0 + place,
                bytes_sent=139_000,
                bytes_received=31_000 if code == "ok" else 0,
            )
            for place, (site, code) in enumerate(codes.items())
        )
        results = sum(code == "ok" for code in codes.values())
        self.events(
            RoundFinished(
                round=number, rounds=self.rounds, results=results, update_norm=0.4, seconds=14.0
            )
        )

    def scores(self, site: str, number: int, better: float) -> None:
        """Let a site release that a round's generator fits so many of 100 patients better."""
        numbers = [0.0] * CELLS
        numbers[0], numbers[BETTER] = better, 100 - better
        generator = f"{number:064x}"
        note_export(self.path / "run", generator, number)
        add_report(
            self.path / "run",
            ScoreReport(
                site=site,
                study="ab" * 32,
                generator=generator,
                finding="lesion",
                numbers=tuple(numbers),
                deviation=1.0,
            ),
        )

    def picture(self, number: int) -> None:
        rng = np.random.default_rng(number)
        rows = np.linspace(-1, 1, 64, dtype=np.float32)
        disc = np.where(rows[:, None] ** 2 + rows[None] ** 2 < 0.6, 0.3, -1.0)
        images = (disc + rng.normal(0, 0.1, (4, 64, 64))).astype(np.float32)
        label = f"round {number}"
        sheet = stack([("axial CT slice of the head", strip(images, label=label, synthetic=True))])
        file = preview_file(self.path / "run" / "previews", number)
        file.parent.mkdir(exist_ok=True)
        sheet.save(file, pnginfo=png_text({}, synthetic=True))

    def finish(self) -> None:
        self.events(GeneratorSaved(folder=str(self.path / "generator")))


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "study")
