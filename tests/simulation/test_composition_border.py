"""What leaves of a site's composition: what the policy allows, noised and paid for once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from asked_hospital import OPEN, Hospital
from fedscan.client.answers.composition import read_composition
from fedscan.client.site import Site
from fedscan.evaluation.data_card import data_card_section
from fedscan.federation.protocol import RoundRequest, tensors_digest
from fedscan.model.statistics.composition import cells, finer_words, scale
from fedscan.model.words.tables import read_vocabulary
from fedscan.server.composition import collect_compositions, read_compositions
from fedscan.server.events import CompositionReceived
from fedscan.simulation.apps import load_client_app
from fedscan.simulation.grid import InProcessGrid


def test_the_composition_leaves_only_as_the_policy_and_the_ledger_say(
    hospital: Hospital, make_request: Callable[..., RoundRequest]
) -> None:
    request = make_request("privacy.composition_share=0.1")
    assert hospital.query(request).code == "privacy"
    assert not (hospital.state / "ledger").exists()
    hospital.allow(replace(OPEN, release_composition=True, weight=2.0))
    assert hospital.query(make_request()).code == "privacy"  # nothing is set aside for it
    reply = hospital.query(request)
    assert (reply.code, set(reply.tensors)) == ("ok", {"patients", "deviation"})
    assert [one.purpose for one in hospital.paid()] == ["composition"]
    again = hospital.query(request)
    assert tensors_digest(again.tensors) == tensors_digest(reply.tensors)
    site = Site.from_config(hospital.config)
    kept = read_composition(site, request.study())
    assert kept is not None
    assert reply.tensors["patients"].tolist() == list(kept.patients)
    # Training goes on within the same budget, and pays for it no second time.
    assert hospital.ask(request).code == "ok"
    purposes = [one.purpose for one in hospital.paid()]
    assert purposes == ["composition", "patient count", "round 1"]
    assert hospital.paid()[-1].epsilon <= 8.0
    # Numbers without this noise are not what was paid for.
    (file,) = (hospital.state / "studies").glob("*.composition.json")
    file.write_text(file.read_text().replace(str(kept.patients[0]), "4.0"))
    refused = hospital.query(request)
    assert (refused.code, dict(refused.tensors)) == ("egress", {})
    hospital.allow(OPEN)
    assert hospital.query(request).code == "privacy"


def test_what_sites_release_becomes_a_data_card(
    hospital: Hospital, make_request: Callable[..., RoundRequest], tmp_path: Path
) -> None:
    hospital.allow(replace(OPEN, release_composition=True))
    asked = replace(make_request("privacy.composition_share=0.1"), round=0, tensors={})
    file, events = tmp_path / "compositions.json", []
    finer = finer_words(read_vocabulary(Site.from_config(hospital.config).base))
    with InProcessGrid(load_client_app, [hospital.config]) as grid:
        for _ in range(2):
            collect_compositions(
                file, grid, asked, finer=finer, delta=1e-5, limit_s=60.0, observe=events.append
            )
    assert [one.code for one in events if isinstance(one, CompositionReceived)] == ["ok", "ok"]
    released = read_compositions(file)
    kept = read_composition(Site.from_config(hospital.config), asked.study())
    assert kept is not None
    assert released["site"].patients == kept.patients
    assert released["site"].finer == kept.finer == finer != {}
    assert released["site"].noise_multiplier == pytest.approx(kept.noise_multiplier)
    assert data_card_section(released).measures[0].value is not None


def test_the_composition_is_noised_paid_for_once_and_kept_at_the_site(
    hospital: Hospital, make_request: Callable[..., RoundRequest]
) -> None:
    requests = [make_request("privacy.composition_share=0.1", number=number) for number in (1, 2)]
    replies = [hospital.ask(request) for request in requests]
    assert [reply.code for reply in replies] == ["ok", "ok"]
    assert set(replies[0].tensors) == set(requests[0].tensors)
    purposes = [one.purpose for one in hospital.paid()]
    assert purposes == ["patient count", "composition", "round 1", "round 2"]
    # The study's budget holds with the composition in it.
    assert hospital.paid()[-1].epsilon <= 8.0
    site = Site.from_config(hospital.config)
    found = read_composition(site, requests[0].study())
    assert found is not None
    assert found.deviation == pytest.approx(found.noise_multiplier / scale(found.finer))
    # The study's words are counted, too, in the one vector that is paid for.
    assert ("finding_word", "cardiomegaly") in found.cells
    section = data_card_section({"site": found})
    assert 0 < section.measures[1].value < 4
    # Four patients are lost in the noise, which is what it is for.
    assert abs(found.patients[cells().index(("sex", "female"))] - 4) < 6 * found.deviation
