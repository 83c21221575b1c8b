"""Where one site must refuse a study, the other has not paid for it: both sides' own code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.client.policy import write_policy
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.client.workspace import opened
from fedscan.config.study import Study, study_to_toml
from fedscan.errors import RoundFailedError
from fedscan.model.storage import generator_digest
from fedscan.server.app import run_study
from fedscan.server.coordinator.orders import invitation_of
from fedscan.server.event_log import EventLog, refusals
from fedscan.server.events import Event, ReadinessReceived
from fedscan.server.job import EVENTS, ServerJob
from fedscan.simulation.apps import load_client_app
from fedscan.simulation.grid import InProcessGrid
from site_homes import OPEN, make_home

SITES = ("north", "south")


@pytest.fixture
def homes(tmp_path: Path, base: Path) -> Iterator[dict[str, SiteHome]]:
    opened.open_data.cache_clear()
    opened.open_study_data.cache_clear()
    yield {name: make_home(tmp_path / name, base, name) for name in SITES}
    opened.open_data.cache_clear()
    opened.open_study_data.cache_clear()


@pytest.mark.parametrize("warm_up", ["true", "false"])
def test_no_site_pays_for_a_study_that_another_must_refuse(
    homes: dict[str, SiteHome],
    make_study: Callable[..., Study],
    base: Path,
    tmp_path: Path,
    warm_up: str,
) -> None:
    study = make_study(
        *("federation.rounds=1", "federation.min_results=2", "data.holdout_fraction=0.0"),
        *(f"warm_up.enabled={warm_up}", "evaluation.preview_prompts=[]"),
    )
    for home in homes.values():
        Approvals(home).approve(invitation_of(study, generator_digest(base)), "chest")
    write_policy(homes["south"].policy, replace(OPEN, min_patients=5))
    (tmp_path / "study.toml").write_text(study_to_toml(study))
    job = ServerJob(
        study=tmp_path / "study.toml",
        base=base,
        run=tmp_path / "run",
        generator=tmp_path / "generator",
        resume=True,
    )
    events: list[Event] = []

    def run() -> None:
        configs = [{"home": str(home.folder)} for home in homes.values()]
        with InProcessGrid(load_client_app, configs) as grid:
            run_study(grid, job, events.append)

    with pytest.raises(RoundFailedError, match="No site has paid for anything") as failure:
        run()
    assert "south: privacy" in failure.value.message
    assert "fedscan site approve" in failure.value.hint
    assert refusals(EventLog(job.run / EVENTS).entries()) == (
        0 if warm_up == "true" else 1,
        {"south": "privacy"},
    )
    ledgers = [home.state("chest") / "ledger" for home in homes.values()]
    assert not any(ledger.exists() for ledger in ledgers)

    # What the hint says is the way on, and a study that has begun is not asked again.
    write_policy(homes["south"].policy, OPEN)
    run()
    assert (tmp_path / "generator").is_dir()
    asked = [one for one in events if isinstance(one, ReadinessReceived)]
    assert [one.code for one in asked if one.site == "north"] == ["ok", "ok"]
    run()
    assert [one for one in events if isinstance(one, ReadinessReceived)] == asked
