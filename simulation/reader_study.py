"""Making a reader study: a generator's images beside real ones of held-out patients."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..common.progress import Progress, no_progress
from ..config.study import Study
from ..evaluation.readers.study import ReaderStudy
from ..evaluation.subject import Subject
from ..model.computing.devices import resolve_device
from ..model.storage import load_generator
from .measure import real_sets
from .sites import find_sites, state_folder


@dataclass(frozen=True, kw_only=True)
class ReaderStudyRequest:
    """What readers are to judge.

    Attributes:
        model: The run's folder, or that of a generator alone.
        generator: Folder of the generator.
        data: Folder with one sub-folder of DICOM per site.
        study: Split of the patients, and how images are drawn.
        out: Folder of the new study.
        name: What readers see as its title.
        count: Images of each kind, real and synthetic.
        device: Where the generator computes.
    """

    model: Path
    generator: Path
    data: Path
    study: Study
    out: Path
    name: str = "Reader study"
    count: int = 50
    device: str = "auto"


def make_reader_study(
    request: ReaderStudyRequest, *, progress: Progress = no_progress
) -> ReaderStudy:
    """Draw images of a generator beside real ones, without names that tell which is which.

    Each synthetic image has the caption and the slice position of a real one. If the model is a
    run, its split of the patients is used: only then was nothing learnt from those shown.

    Args:
        request: What to draw.
        progress: Told what is being done.

    Returns:
        The study, half of its images real. Fewer than asked for, if fewer are held out.

    Raises:
        ConfigurationError: If the folder holds a study already, or there is no such device.
        DataError: If sites or images cannot be used.
        ModelError: If the generator cannot be loaded.
    """
    model, settings = request.model, request.study.evaluation
    place = resolve_device(request.device)
    ReaderStudy.require_none(request.out)
    progress("reading the sites' scans", 0, 2)
    state = state_folder(model, request.out)
    real = real_sets(
        find_sites(request.data.resolve(), state.resolve(), request.generator.resolve()),
        request.study,
        holdout_images=request.study.examination.holdout_images,
    )
    images = real.holdout.thin(request.count, settings.seed)
    progress("drawing images", 1, 2)
    subject = Subject(
        name=model.name,
        generator=load_generator(request.generator).to(place),
        real=real,
        out=request.out,
        guidance_scale=settings.guidance_scale,
        steps=settings.steps,
        seed=settings.seed,
    )
    captions = [description.caption() for description in images.descriptions]
    synthetic = subject.draw(captions, images.positions.tolist())
    return ReaderStudy.create(
        request.out,
        request.name,
        images.images,
        synthetic,
        captions * 2,
        ct=[description.modality == "CT" for description in images.descriptions] * 2,
    )
