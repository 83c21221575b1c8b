"""A simulation whose findings come from a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.client.workspace.opened import open_data
from fedscan.config.study import Study
from fedscan.errors import DataError
from fedscan.simulation.run import simulate
from fedscan.simulation.sites import find_sites

Make = Callable[..., Study]


def test_findings_come_from_the_table_and_whoever_opens_the_run_reads_the_same(
    hospitals: Path, base: Path, make_study: Make, tmp_path: Path
) -> None:
    table, out = tmp_path / "labels.csv", tmp_path / "out"
    rows = [f"north-{n},{n % 2},{'test' if n < 2 else 'train'}" for n in range(6)]
    rows += [f"south-{n},,train" for n in range(5)]
    table.write_text("\n".join(["patient,fracture,split", *rows]) + "\n")
    study = make_study(
        "federation.rounds=1",
        "warm_up.enabled=false",
        'vocabulary.start="few"',
        'vocabulary.findings=[{word="fracture", names=["broken bone"]}]',
    )
    result = simulate(study, hospitals, out, workers=1, evaluate=False, labels=table)
    found = {
        site.name: open_data(site, study.data, study.trainable, study.vocabulary).dataset.contents()
        for site in find_sites(hospitals, out / "sites", base)
    }
    assert found["north"].captions == {
        "chest X-ray, PA view, fracture": (3, 6),
        "chest X-ray, PA view, no finding": (3, 6),
    }
    assert (found["north"].train_patients, found["south"].train_patients) == (4, 5)
    # An empty cell is not known, and a site that the table says nothing of has its headers.
    assert found["south"].captions == {"chest X-ray, PA view": (5, 10)}
    assert "chest X-ray, PA view, pneumonia" in found["west"].captions
    assert {one.code for one in result.results.rounds} == {"ok"}
    (word,) = result.results.settings["vocabulary"]["findings"]
    assert word.startswith("word = fracture")
    assert result.report.exists()
    sites = {site.name: site for site in find_sites(hospitals, out / "sites", base)}
    assert sites["north"].labels == table
    assert sites["west"].labels is None


def test_a_table_that_fits_no_site_is_an_error_before_anything_is_spent(
    hospitals: Path, make_study: Make, tmp_path: Path
) -> None:
    table, out = tmp_path / "labels.csv", tmp_path / "out"
    table.write_text("patient,fracture\nnobody,1\n")
    with pytest.raises(DataError, match="No row of the table"):
        simulate(make_study(), hospitals, out, workers=1, evaluate=False, labels=table)
    assert not list(out.rglob("ledger"))
