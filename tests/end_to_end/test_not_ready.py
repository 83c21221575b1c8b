"""One site must refuse a study: real processes, and nobody has paid."""

from __future__ import annotations

import pytest
from comparing import seen
from fedscan.client.steward.home import SiteHome
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from loopback import SITES, Federation, fedscan, until

pytestmark = pytest.mark.real_processes


def test_where_one_site_must_refuse_a_study_no_site_has_paid(own_federation: Federation) -> None:
    federation = own_federation
    policy = SiteHome.open(federation.site("south")).policy
    before = policy.read_text()
    policy.write_text(before.replace("min_patients = 1\n", "min_patients = 50\n"))
    federation.start()
    federation.ready()
    study = federation.submit("too-few", "federation.min_results=2")
    until(lambda: study.phase == "failed", f"the refusal\n{federation.logs()}")
    (shown,) = federation.status()["studies"]
    assert "south: privacy (its policy does not allow the step" in shown["message"]
    assert "No site has paid for anything." in shown["message"]
    assert seen(federation, study)["readiness-answered"] == len(SITES)
    assert seen(federation, study)["round-asked"] == 0
    ledgers = {site: federation.site(site) / "data" / "chest" / "ledger" for site in SITES}
    assert not any(ledger.exists() for ledger in ledgers.values())

    policy.write_text(before)
    fedscan("coordinator", "resume", "too-few", "--home", federation.home.root)
    federation.finish(study)
    for ledger in ledgers.values():
        entries = LedgerView.read(ledger).entries
        assert [one.record.purpose for one in entries if isinstance(one.record, Reserve)] == [
            *("patient count", "round 1", "round 2")
        ]
