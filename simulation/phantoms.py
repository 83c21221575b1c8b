"""The hospitals of a simulation that brings no scans of its own."""

from __future__ import annotations

from pathlib import Path

from ..common.files import replacing
from ..phantoms.hospital import write_hospitals
from ..phantoms.settings import PhantomSettings
from ..server.events import Observer, log_event
from .events import StageProgress, StageStarted


def phantom_hospitals(
    folder: Path, settings: PhantomSettings, *, progress: Observer = log_event
) -> Path:
    """Write phantom hospitals, unless an earlier start of the same run has done so.

    The folder is there when all of them are: a part is never taken for the whole.

    Args:
        folder: Folder above the hospitals.
        settings: What to write.
        progress: Told what happens.

    Returns:
        The folder.
    """
    if not folder.exists():
        progress(StageStarted(stage=f"Writing phantom hospitals to {folder}"))
        with replacing(folder) as draft:
            write_hospitals(
                draft,
                settings,
                progress=lambda hospital, done, of: progress(
                    StageProgress(stage=f"Writing {hospital}", share=done / of)
                ),
            )
    return folder
