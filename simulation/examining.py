"""Examining how a simulated study trained, and on whom: its base, its terms, its sites' files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..client.composition import read_composition
from ..client.site import Site
from ..config.study import Study
from ..examination.examiners import training_examiners
from ..examination.run import Examiner
from ..model.composition import Composition
from ..model.generator import Generator
from ..model.storage import generator_digest, load_generator, shipped_base
from ..server.terms import study_at_site


def examiners_of(study: Study, sites: Sequence[Site]) -> dict[str, Examiner]:
    """Return the examiners of a study's training.

    Args:
        study: The study, whose base must still be where it was.
        sites: Its sites.
    """
    base = Path(study.generator.base).resolve() if study.generator.base else shipped_base()

    def start() -> Generator:
        return load_generator(base)

    def compositions() -> dict[str, Composition]:
        if not study.privacy.composition_share:
            return {}
        known_as = study_at_site(study, generator_digest(base))
        found = {site.name: read_composition(site, known_as) for site in sites}
        return {name: one for name, one in found.items() if one is not None}

    return training_examiners(
        start,
        privacy=study.privacy,
        trainable=study.trainable,
        learning_rate=study.local.learning_rate,
        compositions=compositions,
        settings=study.canaries,
    )
