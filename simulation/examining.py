"""Examining a generator on its sites' images, section by section, into record, page and card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .. import __version__
from ..common.progress import Progress, no_progress
from ..config.study import Study, study_digest
from ..errors import ConfigurationError
from ..evaluation.anatomy.findings import KEY as ANATOMY
from ..evaluation.anatomy.plausibility import FILE as PLAUSIBILITY
from ..evaluation.canaries.section import KEY as CANARIES
from ..evaluation.card import write_card
from ..evaluation.data_card import KEY as DATA
from ..evaluation.examiners import examiners
from ..evaluation.fairness.section import KEY as FAIRNESS
from ..evaluation.finished_sections import KeptSections, digest_of
from ..evaluation.gate import hold, load_gate
from ..evaluation.measures.image_sets import RealSets
from ..evaluation.readers.score import score_study
from ..evaluation.readers.study import ReaderStudy
from ..evaluation.report.build import write_report
from ..evaluation.report.examination import write_examination_page
from ..evaluation.results import Examination, write_examination
from ..evaluation.run import run_examiners
from ..evaluation.subject import Subject
from ..model.computing.devices import resolve_device
from ..model.storage import generator_digest, load_generator
from ..server.job import base_of
from .measure import real_sets
from .sites import find_sites, is_run, state_folder
from .trained_study import comparisons_of, examiners_of


@dataclass(frozen=True, kw_only=True)
class ExamineRequest:
    """What is examined, on whose images, and against what.

    Attributes:
        model: The run's folder, or that of a generator alone.
        generator: Folder of the generator.
        data: Folder with one sub-folder of DICOM per site.
        study: Settings of the study and of the examination.
        out: Folder for the record, the page, the figures and what is finished.
        against: Folders of other generators to compare with, by name.
        comparisons: Whether to compare also with the study's base and with what the run trained
            to compare with.
        only: Keys of the sections to examine; all if empty.
        gate: TOML file of thresholds to hold the examination against, if any.
        readers: Folder of a reader study of this generator to score too, if any.
        device: Where the generators compute.
    """

    model: Path
    generator: Path
    data: Path
    study: Study
    out: Path
    against: Mapping[str, Path] = field(default_factory=dict)
    comparisons: bool = True
    only: tuple[str, ...] = ()
    gate: Path | None = None
    readers: Path | None = None
    device: str = "auto"

    @property
    def name(self) -> str:
        """What the generator is called: as its folder."""
        return self.model.resolve().name

    def wants(self, section: str) -> bool:
        """Return whether a section is to be examined."""
        return not self.only or section in self.only


@dataclass(frozen=True, kw_only=True)
class ExamineResult:
    """What an examination found, and the page for people that shows it."""

    examination: Examination
    page: Path


def _say_nothing(sentence: str) -> None:
    pass


def examine_run(
    request: ExamineRequest,
    *,
    progress: Progress = no_progress,
    say: Callable[[str], None] = _say_nothing,
) -> ExamineResult:
    """Examine a generator section by section; write record, page and model card.

    Sections that an earlier call has finished on the same images are taken up as they are. A
    run's own report is written again, with the examination.

    Args:
        request: What to examine.
        progress: Told what is being done, how much of it is done, and how much it is in all.
        say: Told in one sentence what somebody must know of how it was examined.

    Returns:
        What was found; whether a gate is passed is part of it, not an error.

    Raises:
        ConfigurationError: If a section or a setting is unknown, two generators have one name, or
            there is no such device.
        DataError: If sites, images or a reader study cannot be used.
        ModelError: If a generator cannot be loaded.
    """
    model, study, out = request.model, request.study, request.out
    place = resolve_device(request.device)
    own_split = is_run(model)
    others = comparisons_of(model, study) if request.comparisons and own_split else {}
    others |= request.against
    # Before anything takes time: what cannot be read would else be found out at the end.
    gate = load_gate(request.gate) if request.gate else None
    reader_sections = (score_study(ReaderStudy.open(request.readers)),) if request.readers else ()
    if request.name in others:
        raise ConfigurationError(
            f"{request.name!r} names the generator examined and one to compare with.",
            hint="Give the other one another name: --against NAME=GENERATOR.",
        )
    state = state_folder(model, out)
    if not own_split:
        say(f"{model} is no run: patients held out here may be among those it learnt from.")
    sites = find_sites(request.data.resolve(), state.resolve(), request.generator.resolve())
    out.mkdir(parents=True, exist_ok=True)
    progress("reading the sites' scans", 0, 100)
    real = real_sets(
        sites,
        study,
        holdout_images=study.examination.holdout_images,
        with_scanners=request.wants(FAIRNESS),
    )
    generator = load_generator(request.generator).to(place)
    digests = {name: generator_digest(path) for name, path in others.items()}
    digest = generator_digest(request.generator)
    examiner_by_key = {
        **examiners(study.examination, study.evaluation, study.memory, study.fairness),
        **examiners_of(study, sites, model, device=place),
    }
    store = _finished(request, real, {request.name: digest, **digests})
    if names := [key for key in examiner_by_key if request.wants(key) and store.find(key)]:
        say(f"Taken up as an earlier run left them: {', '.join(names)}")
    sections = run_examiners(
        Subject(
            name=request.name,
            generator=generator,
            others={name: load_generator(path).to(place) for name, path in others.items()},
            real=real,
            out=out,
            guidance_scale=study.evaluation.guidance_scale,
            steps=study.evaluation.steps,
            seed=study.evaluation.seed,
        ),
        examiner_by_key,
        only=request.only,
        store=store,
        on_progress=progress,
    )
    sections += reader_sections
    examination = Examination(
        fedscan=__version__,
        name=request.name,
        generator=digest,
        against=digests,
        own_split=own_split,
        train_patients=real.train.patient_count,
        holdout_patients=real.holdout.patient_count,
        sections=sections,
        gate=hold(gate, sections) if gate else None,
    )
    write_examination(examination, out)
    write_card(examination, generator, request.generator, out)
    page = write_examination_page(examination, out)
    _renew_report(model, out)
    return ExamineResult(examination=examination, page=page)


def _finished(
    request: ExamineRequest, real: RealSets, generators: Mapping[str, str]
) -> KeptSections:
    """Open what an earlier call finished, of the same images, generators and study."""
    facts = {
        "fedscan": __version__,
        "generators": dict(generators),
        "study": study_digest(request.study),
    }
    also = {FAIRNESS: json.dumps([real.train.scanners, real.holdout.scanners])}
    if request.wants(CANARIES):
        also[CANARIES] = generator_digest(base_of(request.study))
    return KeptSections(
        request.out,
        digest_of(real, facts),
        also={key: hashlib.sha256(text.encode()).hexdigest() for key, text in also.items()},
        files={ANATOMY: PLAUSIBILITY},
        anew=[DATA],
    )


def _renew_report(model: Path, examination: Path) -> None:
    """Write a run's report again, with the examination; leave other folders alone."""
    results = model / "results.json"
    if results.is_file():
        gallery = model / "gallery"
        write_report(
            json.loads(results.read_bytes()),
            model / "report.html",
            gallery=gallery if gallery.is_dir() else None,
            examination=examination,
        )
