"""A run's folder: one process at a time works in it, and on one study."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..common.locks import holding
from ..config.study import Study, load_study
from ..errors import CheckpointError
from ..server.begun import begun, keep_names
from ..server.terms import other_settings, patience_settings


@contextmanager
def only_process(out: Path) -> Iterator[None]:
    """Keep other processes out of a run's folder while the block runs.

    Raises:
        CheckpointError: If another one works in it.
    """

    def busy(holder: str) -> CheckpointError:
        return CheckpointError(
            f"Another process works on the run in {out}.",
            hint=f"It is process {holder}. Wait for its end, or choose another folder.",
        )

    out.mkdir(parents=True, exist_ok=True)
    with holding(out / ".lock", 0, busy):
        yield


def require_own(study: Study, base: Path, out: Path, resume: bool) -> None:
    """Refuse a folder of another run before anything in it is changed."""
    own_study = out / "study.toml"
    if not (out / "run" / "checkpoints").exists() or not own_study.exists():
        return
    if not resume:
        raise CheckpointError(
            f"{out} holds a run already.",
            hint="Continue it with --resume, or choose another folder.",
        )
    before = load_study(own_study)
    if other := other_settings(study, before):
        raise CheckpointError(
            f"{out} holds a run of another study: {other}.",
            hint=f"Resume it with --config {own_study}, or choose another folder. "
            f"These may change: {', '.join(patience_settings())}.",
        )
    keep_names(out / "run", before, begun(out / "run", before, base).base)
