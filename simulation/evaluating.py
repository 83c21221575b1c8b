"""Measuring generators against their sites' real images, with a record and a gallery."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..common.progress import Progress, no_progress
from ..config.study import Study, load_study
from ..evaluation.measures.results import EvaluationResult
from ..model.computing.devices import resolve_device
from .measure import measure
from .sites import find_sites, state_folder

#: The record's name in the folder of an evaluation.
RECORD = "evaluation.json"


@dataclass(frozen=True, kw_only=True)
class EvaluateRequest:
    """What is measured, and on whose images.

    Attributes:
        generators: Folders of generators by name, the first one's split of the patients is used.
        data: Folder with one sub-folder of DICOM per site.
        out: Folder for the record and the gallery.
        run: Run that the first generator is of: its study and its split of the patients are used.
            Without one it is not certain that no held-out patient was trained on.
        study: Study to use instead of the run's, or of the default one.
        device: Where the generators compute.
    """

    generators: Mapping[str, Path]
    data: Path
    out: Path = Path("evaluation")
    run: Path | None = None
    study: Study | None = None
    device: str = "auto"


def evaluate(request: EvaluateRequest, *, progress: Progress = no_progress) -> EvaluationResult:
    """Measure generators: distances, diversity, what a classifier learns from them, memorisation.

    Args:
        request: What to measure.
        progress: Told what is being done, how much of it is done, and how much it is in all.

    Returns:
        What was measured, which is also in the record.

    Raises:
        ConfigurationError: If there is no such device.
        DataError: If the real images are too few.
        ModelError: If a generator cannot be loaded.

    >>> import fedscan
    >>> asked = fedscan.EvaluateRequest(
    ...     generators={"mine": run / "generator"}, data=hospitals, out=out / "worth", study=study
    ... )
    >>> fedscan.evaluate(asked).generators[0].name
    'mine'
    """
    run, out = request.run, request.out
    own = run / "study.toml" if run else None
    study = request.study or load_study(own if own and own.is_file() else None, [])
    split = state_folder(run, out) if run else out / "sites"
    first = next(iter(request.generators.values()))
    result = measure(
        request.generators,
        find_sites(request.data.resolve(), split.resolve(), first.resolve()),
        study,
        gallery=out / "gallery",
        device=resolve_device(request.device),
        progress=progress,
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / RECORD).write_text(json.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")
    return result
