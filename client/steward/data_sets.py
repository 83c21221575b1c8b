"""The site's data sets: their names, and where their scans come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import tomli_w
from pydantic import ConfigDict
from pydantic import Field as Setting
from pydantic.dataclasses import dataclass as checked_dataclass

from ...common.files import write_atomically
from ...common.names import require_name
from ...common.toml_settings import read_toml, validated
from ...errors import ConfigurationError, DataError
from ...model.storage import base_folder
from ..site import Site
from .home import SiteHome, SiteSettings

_HINT = "Restore it from a backup, or add the data sets anew under their old names."


@checked_dataclass(
    frozen=True, kw_only=True, config=ConfigDict(extra="forbid", allow_inf_nan=False)
)
class DataSet:
    """One data set.

    Attributes:
        name: What it is called at this site.
        kind: Where its scans come from.
        folder: Folder of its DICOM files; for other kinds than ``folder`` they are fetched to it.
        url: Root of the DICOMweb service, or ``TITLE@HOST:PORT`` of the C-STORE receiver.
        query: What studies must match, by DICOM keyword.
        modalities: Modalities of the series that are fetched; all if empty.
        authority: File with the certificate authority of the service; the system's if empty.
        credentials: File with a bearer token or ``user:password``; none if empty.
        senders: AE titles that may send to the C-STORE receiver.
        labels: Table that tells the images' findings, splits and reports; none if empty.
        labels_by: What its rows are matched by; the most exact name that it has, if empty.
        retired: Whether no study may use it any more.
    """

    name: str
    kind: Literal["folder", "dicomweb", "cstore"] = "folder"
    folder: str
    url: str = ""
    query: Mapping[str, str] = Setting(default_factory=dict)
    modalities: tuple[str, ...] = ()
    authority: str = ""
    credentials: str = ""
    senders: tuple[str, ...] = ()
    labels: str = ""
    labels_by: str = ""
    retired: bool = False


@dataclass(frozen=True)
class Registry:
    """The file ``data.toml``.

    Attributes:
        home: The site's home.
    """

    home: SiteHome

    def data_sets(self) -> dict[str, DataSet]:
        """Return all data sets by name.

        Raises:
            ConfigurationError: If the file is damaged, or a name in it cannot be a data set's.
        """
        path = self.home.registry
        if not path.exists():
            return {}
        what = "The list of data sets"
        values = read_toml(path, what, _HINT)
        for name in values:
            require_name(name, "a data set")
        by_name = {
            name: {"name": name, **entry} if isinstance(entry, dict) else entry
            for name, entry in values.items()
        }
        entries = validated(dict[str, DataSet], by_name, f"{what} {path}", _HINT)
        for name, entry in entries.items():
            if entry.name != name:
                raise ConfigurationError(
                    f"{what} {path} calls {name!r} {entry.name!r}, too.",
                    hint="Its heading is its name: take the line with `name` away.",
                )
        return entries

    def get(self, name: str) -> DataSet:
        """Return one data set.

        Raises:
            DataError: If there is none of that name.
        """
        data_sets = self.data_sets()
        if name not in data_sets:
            raise DataError(
                f"The site has no data set {name!r} ({_listed(data_sets)}).",
                hint="`fedscan site add-data NAME --folder FOLDER` adds one.",
            )
        return data_sets[name]

    def usable(self, name: str) -> DataSet:
        """Return one data set that studies may use.

        Raises:
            DataError: If there is none of that name, or it was retired.
        """
        entry = self.get(name)
        if entry.retired:
            raise DataError(
                f"The data set {name!r} was retired.", hint="Approve the study for another one."
            )
        return entry

    def add(self, data_set: DataSet) -> None:
        """Add a data set.

        Raises:
            ConfigurationError: If the name cannot be one.
            DataError: If the name is taken, the folder does not exist, or its scans are in
                another data set: two ledgers for the same patients would promise each of them
                only half of what is spent.
        """
        require_name(data_set.name, "a data set")
        data_sets = self.data_sets()
        if data_set.name in data_sets:
            raise DataError(
                f"The site has a data set {data_set.name!r} already.",
                hint="Added scans belong into its folder; other patients into another data set.",
            )
        self.require_free(data_set)
        folder = Path(data_set.folder).resolve()
        self._write({**data_sets, data_set.name: replace(data_set, folder=str(folder))})

    def require_free(self, data_set: DataSet) -> None:
        """Refuse a folder that does not exist, or that another data set has.

        Raises:
            DataError: If it does not exist, or its scans are in another data set.
        """
        folder = Path(data_set.folder).resolve()
        if not folder.is_dir():
            raise DataError(
                f"{data_set.folder} is no folder.", hint="Give a folder of DICOM files."
            )
        for other in self.data_sets().values():
            if other.name == data_set.name:
                continue
            theirs = Path(other.folder)
            if folder.is_relative_to(theirs) or theirs.is_relative_to(folder):
                raise DataError(
                    f"The scans in {folder} are in the data set {other.name!r} already.",
                    hint="A patient belongs to one data set only: its ledger counts what is spent.",
                )

    def change(self, data_set: DataSet) -> None:
        """Put a data set in place of the one of its name.

        Raises:
            DataError: If there is none of that name.
        """
        self.get(data_set.name)
        self._write({**self.data_sets(), data_set.name: data_set})

    def _write(self, entries: Mapping[str, DataSet]) -> None:
        content = {
            name: {key: value for key, value in asdict(entry).items() if key != "name" and value}
            for name, entry in entries.items()
        }
        write_atomically(self.home.registry, tomli_w.dumps(content).encode())


def site_with_data_set(
    home: SiteHome,
    data_set: DataSet,
    base: str = "",
    *,
    settings: SiteSettings | None = None,
    opted_out: str = "",
) -> Site:
    """Return a home's site with one of its data sets, computing on the CPU.

    Args:
        home: The site's home.
        data_set: The data set.
        base: Folder of the generator that a study starts from; the site's own if empty, and the
            one that ships with fedscan if it has none.
        settings: What is in ``site.toml``, where the caller has read it already.
        opted_out: State of the opt-out list; only what keeps patients in memory needs it.

    Raises:
        ConfigurationError: If the site's settings cannot be read.
    """
    settings = settings or home.settings()
    return Site(
        name=settings.name,
        data=Path(data_set.folder),
        state=home.state(data_set.name),
        base=base_folder(base or settings.base),
        rows_at_once=settings.rows_at_once,
        home=home.folder,
        labels=Path(data_set.labels) if data_set.labels else None,
        labels_by=data_set.labels_by,
        opted_out=opted_out,
    )


def _listed(data_sets: Mapping[str, DataSet]) -> str:
    return f"it has {', '.join(sorted(data_sets))}" if data_sets else "it has none yet"
