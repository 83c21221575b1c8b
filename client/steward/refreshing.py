"""Bringing a data set up to date: its scans, and what was made of patients who are gone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...common.progress import Progress, no_progress
from ..data.remains import remove_absent
from ..sources.mirror import MirrorReport
from ..sources.refresh import refresh
from .data_sets import DataSet, Registry
from .home import SiteHome
from .opt_outs import require_list


@dataclass(frozen=True, kw_only=True)
class RefreshReport:
    """What a refresh did.

    Attributes:
        mirror: What was fetched and removed; ``None`` for a plain folder.
        patients: Patients whose scans are gone, of whom something was kept.
        files: Files of theirs that were removed: decoded images and latents.
    """

    mirror: MirrorReport | None
    patients: int
    files: int


def refresh_data_set(home: SiteHome, name: str, *, report: Progress = no_progress) -> RefreshReport:
    """Fetch what is new at a data set's source, and remove what is gone there.

    Whatever was made of patients who are gone is removed, too. Scans that changed are other data
    for the privacy ledger, so this belongs before a study, not between its rounds.

    Args:
        home: The site's home.
        name: Name of the data set.
        report: Told what is done and how much of it.

    Raises:
        ConfigurationError: If its entry in the list of data sets is wrong.
        DataError: If there is no such data set, or its source cannot be used; the mirror stays as
            far as it got.
    """
    data_set = Registry(home).get(name)
    mirror = refresh_mirror(home, data_set, report=report)
    patients, files = remove_absent(home.state(name), Path(data_set.folder), report)
    if patients:
        home.log.append("removed-absent", data=name, patients=patients, files=files)
    return RefreshReport(mirror=mirror, patients=patients, files=files)


def refresh_mirror(
    home: SiteHome, data_set: DataSet, *, report: Progress = no_progress
) -> MirrorReport | None:
    """Bring a data set's mirror up to date, without those who opted out; a folder has none.

    Raises:
        ConfigurationError: If the data set's entry is wrong.
        DataError: If the source cannot be used; the mirror stays as far as it got.
    """
    opted_out = require_list(home).has
    mirror = refresh(data_set, opted_out=opted_out, report=report)
    if mirror is not None:
        home.log.append(
            "data-refreshed", data=data_set.name, fetched=mirror.fetched, removed=mirror.removed
        )
    return mirror
