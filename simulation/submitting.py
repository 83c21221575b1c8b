"""A study as it is submitted or simulated: what trains is chosen, once, from public facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.study import Study, load_study

if TYPE_CHECKING:
    from ..client.site import Site


def as_submitted(study: Study, patients: Sequence[int] = ()) -> Study:
    """Return a study whose terms leave nothing open.

    Args:
        study: The study.
        patients: Training patients that its sites declare, in place of the study's own.

    Raises:
        BudgetExceededError: If no noise keeps the study's promise.
        ModelError: If its base is none.
    """
    if patients:
        # In an order that says nothing of who is who.
        sizes = tuple(sorted(patients, reverse=True))
        study = replace(study, outlook=replace(study.outlook, patients=sizes))
    is_open = study.trainable.subset == "auto" and study.privacy.enabled and study.outlook.patients
    if not is_open:
        # Without what opens networks, which takes seconds to import.
        return replace(study, trainable=study.trainable.definite)
    from .study_plan import definite_study

    return definite_study(study)


def as_simulated(study: Study, sites: Sequence[Site], out: Path) -> Study:
    """Return a study with what its run began with; else chosen for the sites that are there.

    Where the study declares no sizes, training patients are counted by their headers: in a
    simulation they are one's own.

    Args:
        study: The study.
        sites: Its sites.
        out: Folder of the run.

    Raises:
        DataError: If the sites' scans or labels cannot be used.
    """
    if study.trainable.subset != "auto":
        return study
    if (out / "run").exists() and (own := out / "study.toml").is_file():
        before = load_study(own)
        return replace(
            study,
            trainable=before.trainable,
            outlook=before.outlook,
            privacy=replace(study.privacy, clip_norm=before.privacy.clip_norm),
            local=replace(study.local, learning_rate=before.local.learning_rate),
        )
    if study.outlook.patients or not study.privacy.enabled:
        return as_submitted(study)
    from ..client.workspace.patient_numbers import patient_numbers
    from ..model.words.tables import read_vocabulary, study_words

    words = study_words(study.vocabulary, read_vocabulary(sites[0].base))
    counts = [patient_numbers(site, study.data, words).training for site in sites]
    return as_submitted(study, [count for count in counts if count])
