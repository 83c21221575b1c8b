"""A site restored from a backup cannot spend again what it spent since the backup."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.client.data.identity import DatasetIdentity
from fedscan.client.steward.data_sets import DataSet, Registry
from fedscan.client.steward.enrolment import init_site
from fedscan.client.steward.home import SiteHome, SiteSettings
from fedscan.errors import BudgetExceededError, LedgerError
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.ledger.view import LedgerView
from fedscan.privacy.mechanism import SubsampledGaussian
from typer.testing import CliRunner

STEP = SubsampledGaussian(sample_rate=0.25, noise_multiplier=1.5, steps=6)


@pytest.fixture
def site(tmp_path: Path) -> SiteHome:
    init_site(tmp_path / "site", SiteSettings(name="north"))
    home = SiteHome.open(tmp_path / "site")
    (tmp_path / "scans").mkdir()
    Registry(home).add(DataSet(name="chest", folder=str(tmp_path / "scans")))
    return home


def train(home: SiteHome, *rounds: int) -> None:
    """Pay for rounds as a site does."""
    state = home.state("chest")
    identity = DatasetIdentity.load_or_create(state)
    with Ledger.open(state / "ledger", identity.name, epsilon_ceiling=8, delta=1e-5) as ledger:
        for number in rounds:
            paid = ledger.reserve(f"{number:064x}", [STEP], purpose=f"round {number}")
            ledger.complete(paid, f"{number:064x}")


def test_an_older_copy_is_noticed_and_what_it_forgot_is_entered(site, tmp_path):
    runner = CliRunner()
    train(site, 1, 2)
    # The backup of docs/operations.md: everything but the secrets.
    ignore = shutil.ignore_patterns("secrets", "cache")
    shutil.copytree(site.folder, tmp_path / "backup", ignore=ignore)
    train(site, 3, 4, 5)
    folder = site.state("chest") / "ledger"
    lost = LedgerView.read(folder)
    shutil.rmtree(site.folder)
    shutil.copytree(tmp_path / "backup", site.folder)

    seen = runner.invoke(app, ["ledger", str(folder), "--noted", str(lost.head)])
    assert seen.exit_code == LedgerError.exit_status
    words = ["site", "charge", "chest", "--steps", "18", "--sample-rate", "0.25"]
    words += ["--noise", "1.5", "--purpose", "rounds 3 to 5", "--home", str(site.folder)]
    done = runner.invoke(app, words)
    assert done.exit_code == 0, done.output
    found = LedgerView.read(folder)
    spent = epsilon(found.book.mechanisms(), 1e-5)
    assert spent == pytest.approx(epsilon(lost.book.mechanisms(), 1e-5), abs=1e-6)
    assert f"epsilon {spent:.4g}" in done.output
    assert "budget-charged" in site.audit.read_text()
    train(site, 6)
    assert epsilon(LedgerView.read(folder).book.mechanisms(), 1e-5) > spent


def test_more_than_the_ceiling_is_put_on_record_too_and_stops_the_data_set(site):
    train(site, 1)
    words = ["site", "charge", "chest", "--steps", "100000", "--sample-rate", "0.5"]
    words += ["--noise", "0.9", "--purpose", "unknown", "--home", str(site.folder)]
    assert CliRunner().invoke(app, words).exit_code == 0
    with pytest.raises(BudgetExceededError):
        train(site, 2)


def test_without_the_data_sets_identity_nothing_is_entered(site):
    train(site, 1)
    (site.state("chest") / "dataset.json").unlink()
    words = ["site", "charge", "chest", "--steps", "1", "--sample-rate", "0.1"]
    words += ["--noise", "1", "--purpose", "x", "--home", str(site.folder)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == LedgerError.exit_status
    assert "dataset.json is missing" in done.output
