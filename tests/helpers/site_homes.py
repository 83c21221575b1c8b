"""Homes of sites with a little data, and what approves a study there."""

from __future__ import annotations

from pathlib import Path

from fedscan.client.policy import SitePolicy, write_policy
from fedscan.client.steward.data_sets import DataSet, Registry
from fedscan.client.steward.enrolment import init_site
from fedscan.client.steward.home import SiteHome, SiteSettings
from fedscan.client.workspace import opened as workspace
from fedscan.federation.invitation import Invitation
from fedscan.federation.protocol import RoundRequest
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from tiny_hospitals import write_hospitals

OPEN = SitePolicy(min_patients=1, min_noise_multiplier=0.0)


def invitation_of(request: RoundRequest, name: str = "lungs") -> Invitation:
    return Invitation(name=name, rounds=request.rounds, base=request.base, terms=request.terms)


def make_home(folder: Path, base: Path, name: str = "north") -> SiteHome:
    """Set a site up, with one data set and a policy for few patients."""
    init_site(folder / name, SiteSettings(name=name, base=str(base)))
    home = SiteHome.open(folder / name)
    write_hospitals(folder / "scans", {"chest": 4})
    Registry(home).add(DataSet(name="chest", folder=str(folder / "scans" / "chest")))
    write_policy(home.policy, OPEN)
    return home


def paid(state: Path) -> list[Reserve]:
    """Return what a data set has paid for, as its ledger has it."""
    entries = LedgerView.read(state / "ledger").entries
    return [entry.record for entry in entries if isinstance(entry.record, Reserve)]


def purposes(home: SiteHome) -> list[str]:
    """Return what the data set of :func:`make_home` has paid for, in words."""
    return [one.purpose for one in paid(home.state("chest"))]


def begin_anew() -> None:
    """Forget what is open: every message has a process of its own."""
    workspace.open_data.cache_clear()
    workspace.open_study_data.cache_clear()
