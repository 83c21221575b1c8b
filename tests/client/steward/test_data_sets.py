"""A data set's site: whoever asks for it is told of the same table, base and settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fedscan.client.steward.data_sets import Registry, site_with_data_set
from fedscan.client.steward.home import SiteHome
from fedscan.model.storage import shipped_base


def test_a_data_set_s_site_has_its_folders_and_table_and_the_home_s_settings(
    home: SiteHome, base: Path, tmp_path: Path
) -> None:
    home.change_settings(rows_at_once=3)
    chest = replace(Registry(home).get("chest"), labels="/tables/chest.csv", labels_by="image")
    site = site_with_data_set(home, chest, opted_out="nobody")
    assert (site.name, site.home, site.state) == ("north", home.folder, home.state("chest"))
    assert (site.labels, site.labels_by) == (Path("/tables/chest.csv"), "image")
    assert (site.rows_at_once, site.opted_out, site.device) == (3, "nobody", "cpu")
    assert site.base == base
    assert site_with_data_set(home, chest, str(tmp_path)).base == tmp_path


def test_a_home_without_a_base_starts_from_the_one_that_ships(home: SiteHome) -> None:
    home.change_settings(base="")
    assert site_with_data_set(home, Registry(home).get("chest")).base == shipped_base()
