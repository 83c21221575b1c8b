"""Examining a generator on its sites' images, and how its study trained, and on whom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safetensors.numpy import load_file

from .. import __version__
from ..client.answers.composition import read_composition
from ..client.site import Site
from ..client.workspace.training_settings import descent_settings, loss_settings
from ..common.progress import Progress, no_progress
from ..config.study import Study, study_digest
from ..errors import ConfigurationError
from ..evaluation.anatomy.findings import KEY as ANATOMY
from ..evaluation.anatomy.plausibility import FILE as PLAUSIBILITY
from ..evaluation.canaries.rehearsal import SiteTraining
from ..evaluation.canaries.section import KEY as CANARIES
from ..evaluation.card import write_card
from ..evaluation.data_card import KEY as DATA
from ..evaluation.examiners import examiners, training_examiners
from ..evaluation.fairness.section import KEY as FAIRNESS
from ..evaluation.finished_sections import KeptSections, digest_of
from ..evaluation.gate import hold, load_gate
from ..evaluation.measures.image_sets import RealSets
from ..evaluation.readers.score import score_study
from ..evaluation.readers.study import ReaderStudy
from ..evaluation.report.build import write_report
from ..evaluation.report.examination import write_examination_page
from ..evaluation.results import Examination, write_examination
from ..evaluation.run import Examiner, run_examiners
from ..evaluation.subject import Subject
from ..model.generator import Generator
from ..model.statistics.composition import Composition
from ..model.storage import generator_digest, load_generator, shipped_base
from ..model.trainable import replace_tensors
from ..server.composition import read_compositions
from ..server.job import COMPOSITIONS, WARM_UP
from ..server.terms import study_at_site
from .measure import real_sets
from .sites import find_sites

#: Name of the generator that a study starts from, among those to compare with.
BASE = "base"


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
        ConfigurationError: If a section or a setting is unknown, or two generators have one name.
        DataError: If sites, images or a reader study cannot be used.
        ModelError: If a generator cannot be loaded.
    """
    model, study, out = request.model, request.study, request.out
    own_split = (model / "sites").is_dir()
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
    state = model / "sites" if own_split else out / "sites"
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
    generator = load_generator(request.generator)
    digests = {name: generator_digest(path) for name, path in others.items()}
    digest = generator_digest(request.generator)
    examiner_by_key = {
        **examiners(study.examination, study.evaluation, study.memory, study.fairness),
        **examiners_of(study, sites, model),
    }
    store = _finished(request, real, {request.name: digest, **digests})
    if names := [key for key in examiner_by_key if request.wants(key) and store.find(key)]:
        say(f"Taken up as an earlier run left them: {', '.join(names)}")
    sections = run_examiners(
        Subject(
            name=request.name,
            generator=generator,
            others={name: load_generator(path) for name, path in others.items()},
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


def comparisons_of(run: Path, study: Study) -> dict[str, Path]:
    """Find what a run is compared with: its base, and what was trained beside it.

    Args:
        run: The run's folder.
        study: Its study, whose base must still be where it was.

    Returns:
        Folders of generators by name; a training that was not finished is not among them.
    """
    models = sorted((run / "comparisons").glob("*/generator/model_index.json"))
    return {BASE: base_of(study), **{file.parent.parent.name: file.parent for file in models}}


def examiners_of(study: Study, sites: Sequence[Site], run: Path) -> dict[str, Examiner]:
    """Return the examiners of a study's training.

    Args:
        study: The study, whose base must still be where it was.
        sites: Its sites.
        run: The run's folder. Where the sites released no composition to it, what they keep is
            read: in a simulation they are one's own.
    """
    base = base_of(study)

    def compositions() -> dict[str, Composition]:
        if not study.privacy.composition_share:
            return {}
        if compositions_read := read_compositions(run / "run" / COMPOSITIONS):
            return dict(compositions_read)
        known_as = study_at_site(study, generator_digest(base))
        by_site = {site.name: read_composition(site, known_as) for site in sites}
        return {name: one for name, one in by_site.items() if one is not None}

    return training_examiners(
        lambda: start_of(study, run),
        training=site_training(study),
        compositions=compositions,
        settings=study.canaries,
    )


def start_of(study: Study, run: Path) -> Generator:
    """Load what a study's sites start from: its base, and what the run's warm-up made of it."""
    generator = load_generator(base_of(study))
    if (warmed_up := run / "run" / WARM_UP).is_file():
        replace_tensors(generator, load_file(warmed_up))
    return generator


def site_training(study: Study) -> SiteTraining:
    """Return how the sites of a study train, through what the sites read its terms with."""
    return SiteTraining(
        privacy=study.privacy,
        trainable=study.trainable,
        loss=loss_settings(study.local, study.privacy),
        descent=descent_settings(study.local),
        round_steps=study.local.steps,
        rounds=study.federation.rounds,
    )


def base_of(study: Study) -> Path:
    """Return the folder of the generator that a study starts from."""
    return Path(study.generator.base).resolve() if study.generator.base else shipped_base()
