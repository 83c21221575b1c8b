"""What becomes of a data set: its scans move to another place, or it is used no more.

Its ledger stays in both cases: what was spent of its patients' privacy is spent.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from ...common.progress import Progress, no_progress
from ...errors import DataError
from ..data.identity import FILE_NAME, DatasetIdentity
from .approvals import Approvals
from .data_sets import DataSet, Registry
from .home import SiteHome
from .overlap import patients_in


def move_data_set(
    home: SiteHome, name: str, folder: Path, *, report: Progress = no_progress
) -> DataSet:
    """Say that a data set's scans lie in another folder from now on.

    Args:
        home: The site's home.
        name: Name of the data set.
        folder: Where its scans lie now.
        report: Told how many headers are read.

    Raises:
        DataError: If there is no such data set, its scans are fetched and not the steward's to
            move, the folder cannot be one, or it holds none of the patients that were known.
    """
    registry = Registry(home)
    entry = registry.get(name)
    if entry.kind != "folder":
        raise DataError(
            f"The scans of the data set {name} are fetched into the site's home.",
            hint="Move the whole home; `fedscan site refresh` fetches scans anew.",
        )
    entry_there = replace(entry, folder=str(folder.resolve()))
    registry.require_free(entry_there)
    keys = _known_keys(home.state(name))
    if keys:
        identity = DatasetIdentity.load_or_create(home.state(name))
        present = {identity.patient_key(one) for one in patients_in(folder, report)}
        if not keys & present:
            raise DataError(
                f"None of the patients of the data set {name} is in {folder}.",
                hint="Other patients are another data set: `fedscan site add-data`.",
            )
    home.log.append("data-moved", data=name)
    registry.change(entry_there)
    return entry_there


def retire_data_set(home: SiteHome, name: str) -> list[str]:
    """Use a data set in no study any more; its name and its ledger stay taken.

    Args:
        home: The site's home.
        name: Name of the data set.

    Returns:
        The studies whose approvals for it are taken back, by digest.

    Raises:
        DataError: If there is no such data set.
    """
    registry, approvals = Registry(home), Approvals(home)
    entry = registry.get(name)
    studies = [one.study for one in approvals.all() if one.data == name]
    home.log.append("data-retired", data=name)
    registry.change(replace(entry, retired=True))
    for study in studies:
        approvals.withdraw(study)
    return studies


def _known_keys(state: Path) -> set[str]:
    """Return the keys of the patients whose images were decoded before, if the cache has them."""
    if not (state / FILE_NAME).exists():
        return set()
    keys: set[str] = set()
    for path in state.glob("cache/examples/*/manifest.json"):
        try:
            keys |= {one["key"] for one in json.loads(path.read_bytes())["patients"]}
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a damaged cache is made anew when it is used
    return keys
