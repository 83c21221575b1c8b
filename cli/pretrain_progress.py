"""How far a pre-training is: a bar in a terminal, a line every half minute elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from .console import status

if TYPE_CHECKING:
    from ..model.pretraining.watch import Report

_SECONDS_BETWEEN_LINES = 30.0


class PretrainProgress:
    """Shows reports of a training, and what is collected before it."""

    def __init__(self) -> None:
        self._console = status()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[facts]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("images", total=1.0, facts="")
        self._last = 0.0

    def __enter__(self) -> PretrainProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def collected(self, what: str, done: int, of: int) -> None:
        """Tell how many images are there."""
        self._show(what, done / of, f"{done} of {of}")

    def show(self, report: Report) -> None:
        """Tell where a stage is: images seen, mean loss, and the loss by noise level."""
        if report.stage == "autoencoder":
            facts = f"{report.images:,} images, PSNR {-report.loss:.2f} dB"
        else:
            levels = " ".join(f"{level:.3f}" for level in report.by_level)
            facts = f"{report.images:,} images, loss {report.loss:.4f} (by noise: {levels})"
        self._show(report.stage, report.share, facts)

    def _show(self, stage: str, share: float, facts: str) -> None:
        self._bar.update(self._task, description=stage, completed=share, facts=facts)
        if self._bar.disable and time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            self._console.print(Text(f"{stage}: {share:.0%}, {facts}"))
