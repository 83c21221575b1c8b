"""The table of labels that belongs to a data set: how it fits the scans, and another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...common.progress import Progress, no_progress
from ...errors import ConfigurationError
from ...imaging.labels.index_with_table import IndexRequest, index_with_table
from ...imaging.labels.source import LabelReport
from ...imaging.settings import DataSettings
from .data_sets import DataSet, Registry
from .home import SiteHome


def labels_fit(data_set: DataSet, *, report: Progress = no_progress) -> LabelReport | None:
    """Read a data set's headers beside its table, if it has one.

    Raises:
        DataError: If the table cannot be read, or no row of it is about an image there.
    """
    if not data_set.labels:
        return None
    request = IndexRequest(
        folder=Path(data_set.folder),
        settings=DataSettings(),
        labels=Path(data_set.labels),
        labels_by=data_set.labels_by,
    )
    return index_with_table(request, progress=report).labels


def change_labels(
    home: SiteHome,
    name: str,
    table: Path | None = None,
    *,
    labels_by: str = "",
    report: Progress = no_progress,
) -> tuple[DataSet, LabelReport | None]:
    """Say how a data set's table fits its scans, after giving it another one if there is one.

    A changed table makes a changed data set: no budget is given back, and a round that is
    repeated on it is another release.

    Args:
        home: The site's home.
        name: Name of the data set.
        table: The table to use from now on; the data set's own if ``None``.
        labels_by: What the rows of another table are matched by; by its most exact name if empty.
        report: Told how many files are read.

    Returns:
        The data set as it is from now on, and how its table fits.

    Raises:
        ConfigurationError: If there is no table.
        DataError: If there is no such data set, or the table does not fit; nothing is changed.
    """
    data_set = Registry(home).get(name)
    if table is not None:
        data_set = replace(data_set, labels=str(table.resolve()), labels_by=labels_by)
    if not data_set.labels:
        raise ConfigurationError(
            f"The data set {name} has no table of labels.",
            hint=f"`fedscan site labels {name} TABLE` gives it one.",
        )
    fit = labels_fit(data_set, report=report)
    if table is not None:
        Registry(home).change(data_set)
        home.log.append("labels-changed", data=name)
    return data_set, fit
