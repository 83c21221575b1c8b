"""A steward's data sets without commands: added whole or not at all, labelled, refreshed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fedscan.client.data.dataset import SiteDataset
from fedscan.client.steward.adding import NewDataSet, add_data_set
from fedscan.client.steward.data_sets import Registry
from fedscan.client.steward.enrolment import init_site
from fedscan.client.steward.home import SiteHome, SiteSettings
from fedscan.client.steward.labelling import change_labels
from fedscan.client.steward.refreshing import refresh_data_set
from fedscan.errors import ConfigurationError, DataError, FedscanError
from fedscan.imaging.settings import DataSettings
from tiny_hospitals import write_hospitals


@pytest.fixture
def home(tmp_path: Path) -> SiteHome:
    init_site(tmp_path / "site", SiteSettings(name="north"))
    return SiteHome.open(tmp_path / "site")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    write_hospitals(tmp_path / "scans", {"north": 3}, images=1)
    return tmp_path / "scans" / "north"


def table(folder: Path, *patients: str) -> Path:
    path = folder / f"labels-{patients[0]}.csv"
    rows = [f"{patient},fracture" for patient in patients]
    path.write_text("\n".join(["patient,finding", *rows, ""]), encoding="utf-8")
    return path


def events(home: SiteHome) -> list[str]:
    return [json.loads(line)["event"] for line in home.audit.read_text().splitlines()]


def test_a_folder_is_added_with_its_table(home: SiteHome, scans: Path, tmp_path: Path) -> None:
    labels = table(tmp_path, "north-0", "north-1", "nobody")
    result = add_data_set(home, NewDataSet(name="chests", folder=scans, labels=labels))
    assert result.mirror is None
    assert result.labels is not None
    assert (result.labels.rows, result.labels.matched) == (3, 2)
    assert Registry(home).get("chests") == result.entry
    assert result.entry.labels == str(labels)
    assert events(home)[-1] == "data-added"


def test_a_receiver_is_added_without_scans(home: SiteHome) -> None:
    request = NewDataSet(name="films", receive="FEDSCAN@127.0.0.1:11112", senders=("PACS1",))
    entry = add_data_set(home, request).entry
    assert (entry.kind, entry.url) == ("cstore", "FEDSCAN@127.0.0.1:11112")
    assert Path(entry.folder).is_relative_to(home.state("films"))
    assert Path(entry.folder).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("about", "error"),
    [
        ({"labels": "nobody"}, DataError),
        ({"name": "no name"}, ConfigurationError),
        ({"folder": None, "receive": "FEDSCAN@127.0.0.1:1", "senders": ()}, ConfigurationError),
        ({"folder": None, "dicomweb": "pacs"}, ConfigurationError),
    ],
)
def test_what_cannot_be_used_is_not_added(
    home: SiteHome, scans: Path, tmp_path: Path, about: dict, error: type[FedscanError]
) -> None:
    values = {"name": "chests", "folder": scans, **about}
    if "labels" in about:
        values["labels"] = table(tmp_path, about["labels"])
    before = events(home)
    with pytest.raises(error):
        add_data_set(home, NewDataSet(**values))
    assert Registry(home).data_sets() == {}
    assert events(home) == before


def test_a_data_set_comes_from_one_place(scans: Path) -> None:
    with pytest.raises(ConfigurationError, match="one place"):
        NewDataSet(name="chests")
    with pytest.raises(ConfigurationError, match="one place"):
        NewDataSet(name="chests", folder=scans, dicomweb="https://pacs")


def test_a_table_is_changed_only_for_one_that_fits(
    home: SiteHome, scans: Path, tmp_path: Path
) -> None:
    add_data_set(home, NewDataSet(name="chests", folder=scans))
    with pytest.raises(ConfigurationError, match="no table of labels"):
        change_labels(home, "chests")
    with pytest.raises(DataError, match="No row"):
        change_labels(home, "chests", table(tmp_path, "nobody"))
    assert Registry(home).get("chests").labels == ""
    good = table(tmp_path, "north-2")
    entry, fit = change_labels(home, "chests", good)
    assert fit is not None
    assert fit.matched == 1
    assert Registry(home).get("chests") == entry
    assert events(home)[-1] == "labels-changed"
    assert change_labels(home, "chests") == (entry, fit)
    assert events(home).count("labels-changed") == 1


def test_a_refresh_of_a_folder_removes_what_is_kept_of_patients_who_are_gone(
    home: SiteHome, scans: Path
) -> None:
    add_data_set(home, NewDataSet(name="chests", folder=scans))
    state = home.state("chests")
    SiteDataset.open(scans, DataSettings(image_size=32), state / "cache", state_dir=state)
    assert refresh_data_set(home, "chests").files == 0
    (scans / "1-0.dcm").unlink()
    result = refresh_data_set(home, "chests")
    assert (result.mirror, result.patients) == (None, 1)
    assert result.files > 0
    assert events(home)[-1] == "removed-absent"
    assert refresh_data_set(home, "chests").patients == 0
