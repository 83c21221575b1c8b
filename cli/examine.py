"""``fedscan examine``: does a generator help, invent, remember, and treat groups alike?"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from .console import output, status
from .options import ConfigOption, SetOption, study_from
from .progress import progress

if TYPE_CHECKING:
    from ..evaluation.gate import GateOutcome
    from ..evaluation.section import Section

_EPILOG = """\
Examples:

- `fedscan examine run --data hospitals`

- `fedscan examine run --data hospitals --against other=another-run --only utility`

- `fedscan examine run --data hospitals --no-comparisons --only memory --only canaries`

- `fedscan examine run --data hospitals --set examination.synthetic_images=1000`

- `fedscan examine run --data hospitals --gate default`
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("examine", epilog=_EPILOG)(examine)


def examine(
    model: Annotated[
        Path, typer.Argument(help="Generator folder, or the folder of a run that holds one.")
    ],
    data: Annotated[Path, typer.Option(help="Folder with one sub-folder of DICOM per site.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the record, page and figures."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Another generator to compare with, or another of this name. Repeatable.",
            metavar="NAME=GENERATOR",
        ),
    ] = None,
    comparisons: Annotated[
        bool,
        typer.Option(
            "--comparisons/--no-comparisons",
            help="Compare also with the study's base and with what the run trained to compare "
            "with. The base calibrates attacks, so without it these are weaker.",
        ),
    ] = True,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Section to examine; all without it. Repeatable.", metavar="SECTION"),
    ] = None,
    gate: Annotated[
        Path | None,
        typer.Option(
            help="TOML file of thresholds; `default` is the one that ships with fedscan. Ends "
            "with status 11 if one does not hold.",
            metavar="FILE",
        ),
    ] = None,
    readers: Annotated[
        Path | None,
        typer.Option(help="Folder of a reader study of this generator, to score and show too."),
    ] = None,
    config: ConfigOption = None,
    sets: SetOption = None,
) -> None:
    """Examine a generator against the sites' real images, section by section.

    If MODEL is a run, its study and its split of the patients are used: only then is it certain
    that no held-out patient was trained on. It is compared with the study's base and with the
    generators in MODEL/comparisons (trained without privacy, at a single site, on pooled data:
    what the study asked for). All data must be on this machine. Writes
    examination.json, examination.html and model-card.md to OUT, by default MODEL/examination; a
    run's own report.html then shows the examination too. Each finished section is kept in
    OUT/sections: after an interruption, or with another gate, the same command measures only
    what is not there yet.

    Real images are compared with and learnt from without noise: what is written stays where
    those may be seen.
    """
    from .. import __version__
    from ..config.study import study_digest
    from ..errors import GateError
    from ..evaluation.anatomy.findings import KEY as ANATOMY
    from ..evaluation.anatomy.plausibility import FILE as PLAUSIBILITY
    from ..evaluation.canaries.section import KEY as CANARIES
    from ..evaluation.card import write_card
    from ..evaluation.data_card import KEY as DATA
    from ..evaluation.examiners import examiners
    from ..evaluation.fairness.section import KEY as FAIRNESS
    from ..evaluation.finished_sections import KeptSections, digest_of
    from ..evaluation.gate import default_gate, hold, load_gate
    from ..evaluation.readers.score import score_study
    from ..evaluation.readers.study import ReaderStudy
    from ..evaluation.report.examination import write_examination_page
    from ..evaluation.results import Examination, write_examination
    from ..evaluation.run import run_examiners
    from ..evaluation.subject import Subject
    from ..model.storage import find_generator, generator_digest, load_generator
    from ..simulation.examining import base_of, comparisons_of, examiners_of
    from ..simulation.measure import real_sets
    from ..simulation.sites import find_sites

    folder = find_generator(model)
    own_split = (model / "sites").is_dir()
    study = study_from(config or _present(model / "study.toml"), sets)
    others = comparisons_of(model, study) if comparisons and own_split else {}
    others |= {name: find_generator(path) for name, path in map(_named, against or ())}
    out = out or model / "examination"
    # Before anything takes time: what cannot be read would else be found out at the end.
    held = load_gate(default_gate() if gate == Path("default") else gate) if gate else None
    judged = (score_study(ReaderStudy.open(readers)),) if readers is not None else ()
    state = model / "sites" if own_split else out / "sites"
    if not own_split:
        status().print(
            Text(f"{model} is no run: patients held out here may be among those it learnt from.")
        )
    sites = find_sites(data.resolve(), state.resolve(), folder.resolve())
    settings = study.evaluation
    name = model.resolve().name
    if name in others:
        raise typer.BadParameter(f"{name!r} names the generator examined and one to compare with.")
    out.mkdir(parents=True, exist_ok=True)
    with progress() as report:
        report("reading the sites' scans", 0, 100)
        real = real_sets(
            sites,
            study,
            holdout_images=study.examination.holdout_images,
            with_scanners=not only or FAIRNESS in only,
        )
        generator = load_generator(folder)
        digest = generator_digest(folder)
        compared = {name: generator_digest(path) for name, path in others.items()}
        facts = {
            "fedscan": __version__,
            "generators": {name: digest, **compared},
            "study": study_digest(study),
        }
        known = {
            **examiners(study.examination, settings, study.memory, study.fairness),
            **examiners_of(study, sites, model),
        }
        also = {FAIRNESS: json.dumps([real.train.scanners, real.holdout.scanners])}
        if not only or CANARIES in only:
            also[CANARIES] = generator_digest(base_of(study))
        kept = KeptSections(
            out,
            digest_of(real, facts),
            also={key: hashlib.sha256(text.encode()).hexdigest() for key, text in also.items()},
            files={ANATOMY: PLAUSIBILITY},
            anew=[DATA],
        )
        if finished := [key for key in known if (not only or key in only) and kept.find(key)]:
            status().print(Text(f"Taken up as an earlier run left them: {', '.join(finished)}"))
        sections = run_examiners(
            Subject(
                name=name,
                generator=generator,
                others={name: load_generator(path) for name, path in others.items()},
                real=real,
                out=out,
                guidance_scale=settings.guidance_scale,
                steps=settings.steps,
                seed=settings.seed,
            ),
            known,
            only=only or (),
            kept=kept,
            on_progress=report,
        )
    sections += judged
    examination = Examination(
        fedscan=__version__,
        name=name,
        generator=digest,
        against=compared,
        own_split=own_split,
        train_patients=real.train.patient_count,
        holdout_patients=real.holdout.patient_count,
        sections=sections,
        gate=hold(held, sections) if held else None,
    )
    write_examination(examination, out)
    write_card(examination, generator, folder, out)
    page = write_examination_page(examination, out)
    _renew_report(model, out)
    for section in sections:
        output().print(section_table(section))
    output().print(Text(f"All measures, tables and figures are in {page}"))
    if examination.gate is not None:
        output().print(_gate_table(examination.gate))
        if not examination.gate.passed:
            failed = ", ".join(line.measure for line in examination.gate.failures)
            raise GateError(
                f"The generator does not pass {examination.gate.name}: {failed}.",
                hint=f"{page} says what was found and what each line stands for.",
            )


def _renew_report(model: Path, examination: Path) -> None:
    """Write a run's report again, with the examination; leave other folders alone."""
    from ..evaluation.report.build import write_report

    results = model / "results.json"
    if results.is_file():
        gallery = model / "gallery"
        write_report(
            json.loads(results.read_bytes()),
            model / "report.html",
            gallery=gallery if gallery.is_dir() else None,
            examination=examination,
        )


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise typer.BadParameter(
            f"{text!r} is not of the form NAME=GENERATOR.", param_hint="--against"
        )
    return name, Path(path)


def _present(path: Path) -> Path | None:
    return path if path.exists() else None


def section_table(section: Section) -> Table:
    """A section's measures for the console."""
    from ..evaluation.card import in_words

    table = Table("Measure", "Found (95 %)", title=Text(f"{section.title} ({section.key})"))
    for measure in section.measures:
        table.add_row(Text(measure.title), Text(in_words(measure)))
    return table


def _gate_table(gate: GateOutcome) -> Table:
    table = Table("Measure", "Must be", "Found", "Outcome", title=Text(gate.name))
    for line in gate.lines:
        outcome = Text("passed", "green") if line.passed else Text("failed", "bold red")
        table.add_row(Text(line.measure), Text(line.bound), Text(line.found), outcome)
    return table
