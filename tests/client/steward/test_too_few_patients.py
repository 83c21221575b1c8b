"""What will be refused for too few patients is said before a study begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fedscan.client.data.dataset import SiteDataset
from fedscan.client.doctor import examine_site
from fedscan.client.policy import write_policy
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.data_sets import Registry
from fedscan.client.steward.home import SiteHome
from fedscan.client.steward.proposal import propose
from fedscan.federation.protocol import RoundReply, RoundRequest
from fedscan.imaging.settings import DataSettings
from site_homes import OPEN, invitation_of

Ask = Callable[..., RoundReply]
Make = Callable[..., RoundRequest]


def patients_fact(home: SiteHome, request: RoundRequest) -> str:
    entry = Registry(home).get("chest")
    return dict(propose(home, invitation_of(request), entry).facts)["Patients"]


@pytest.mark.parametrize("fraction", [0.0, 0.6])
def test_approval_tells_whom_the_held_out_share_leaves_and_what_a_round_then_does(
    home: SiteHome, ask: Ask, make_request: Make, fraction: float
) -> None:
    request = make_request(f"data.holdout_fraction={fraction}")
    settings = DataSettings(image_size=32, holdout_fraction=fraction)
    folder = Registry(home).get("chest").folder
    trained = len(
        SiteDataset.open(home.folder / folder, settings, home.folder / "c").train_patients
    )
    assert (fraction == 0.0) == (trained == 4)
    write_policy(home.policy, replace(OPEN, min_patients=4))
    text = patients_fact(home, request)
    assert text.startswith(f"{trained} of 4 patients would be trained on")
    Approvals(home).approve(invitation_of(request), "chest")
    assert ("would be refused" in text) == (ask(request).code == "privacy")
    # With the data set's identity, and headers that are remembered, it is the same.
    assert patients_fact(home, request) == text


def test_doctor_compares_the_patients_with_the_policy(home: SiteHome) -> None:
    def finding() -> str:
        (one,) = [one for one in examine_site(home.folder) if one.check == "patients of chest"]
        return one.state

    assert finding() == "ok"
    write_policy(home.policy, replace(OPEN, min_patients=4))
    assert finding() == "warning"
