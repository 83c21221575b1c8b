"""What a study's sites trained: what they start from, how they train, and on whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from safetensors.numpy import load_file

from ..client.answers.composition import read_composition
from ..client.site import Site
from ..client.workspace.training_settings import descent_settings, loss_settings
from ..config.study import Study
from ..evaluation.canaries.rehearsal import SiteTraining
from ..evaluation.examiners import training_examiners
from ..evaluation.run import Examiner
from ..model.generator import Generator
from ..model.outline import size_taken
from ..model.statistics.composition import Composition
from ..model.storage import load_generator
from ..model.trainable import replace_tensors
from ..server.begun import begun
from ..server.composition import read_compositions
from ..server.job import COMPOSITIONS, WARM_UP, base_of
from ..server.joint.roster import roster_text
from ..server.terms import study_at_site

#: Name of the generator that a study starts from, among those to compare with.
BASE = "base"


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


def examiners_of(
    study: Study, sites: Sequence[Site], run: Path, *, device: str = "cpu"
) -> dict[str, Examiner]:
    """Return the examiners of a study's training.

    Args:
        study: The study, whose base must still be where it was.
        sites: Its sites.
        run: The run's folder. Where the sites released no composition to it, what they keep is
            read: in a simulation they are one's own.
        device: Where the start computes.
    """
    base = base_of(study)

    def compositions() -> dict[str, Composition]:
        if not study.privacy.composition_share:
            return {}
        if compositions_read := read_compositions(run / "run" / COMPOSITIONS):
            return dict(compositions_read)
        roster = roster_text(run / "run")
        known_as = study_at_site(study, begun(run / "run", study, base).base, roster)
        by_site = {site.name: read_composition(site, known_as) for site in sites}
        return {name: one for name, one in by_site.items() if one is not None}

    return training_examiners(
        lambda: start_of(study, run).to(device),
        training=site_training(study),
        compositions=compositions,
        settings=study.canaries,
    )


def start_of(study: Study, run: Path) -> Generator:
    """Load what a study's sites start from: its base, and what the run's warm-up made of it."""
    base = base_of(study)
    generator = load_generator(base, size_taken(base, study.data.image_size))
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
