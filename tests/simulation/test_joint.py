"""A joint study on one machine: the real apps, keys, masks and ledgers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fedscan.client.policy import load_policy
from fedscan.client.site import Site
from fedscan.config.study import Study
from fedscan.errors import ConfigurationError
from fedscan.federation.joint.roster import Roster
from fedscan.federation.wire import unpack
from fedscan.privacy.joint.grid import SumGrid
from fedscan.privacy.joint.plan import plan_joint
from fedscan.privacy.ledger import release_digest
from fedscan.privacy.ledger.view import LedgerView
from fedscan.server.events import Event, RoundFinished
from fedscan.server.fitting import require_fitting
from fedscan.simulation.run import simulate
from fedscan.simulation.sites import write_policies
from safetensors.numpy import load_file
from site_homes import paid
from tiny_hospitals import write_hospitals

JOINT = (
    "privacy.sum=joint",
    "local.steps=1",
    "local.optimizer=sgd",
    "local.learning_rate=0.1",
    "federation.expected_sites=3",
)
SITES = ("north", "south", "west")


@pytest.fixture(scope="module")
def joint_run(
    hospitals: Path, make_study: Callable[..., Study], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Study]:
    """A finished joint study of three hospitals; not to be changed."""
    out = tmp_path_factory.mktemp("joint") / "out"
    study = make_study(*JOINT, "privacy.composition_share=0.1")

    def keep_parts(event: Event) -> None:
        if isinstance(event, RoundFinished):  # before the study's end, where they are erased
            for site in SITES:
                shutil.copytree(
                    out / "sites" / site / "sums", out / "parts" / site, dirs_exist_ok=True
                )

    simulate(study, hospitals, out, workers=1, evaluate=False, progress=keep_parts)
    return out, study


def test_nothing_is_left_with_which_a_part_could_be_unmasked(
    joint_run: tuple[Path, Study],
) -> None:
    out, _ = joint_run
    for site in SITES:
        keys = out / "sites" / site / "keys" / "studies"
        assert [path.suffix for path in keys.rglob("*") if path.is_file()] == [".over"]
        assert not list((out / "sites" / site / "sums").rglob("*.sum"))
        assert not list((out / "sites" / site / "ledger" / "secrets").iterdir())
    codes = json.loads((out / "run" / "keys-erased.json").read_text())
    assert codes == dict.fromkeys(SITES, "ok")


def test_a_joint_study_ends_with_a_generator(joint_run: tuple[Path, Study]) -> None:
    out, study = joint_run
    assert (out / "generator" / "model_index.json").exists()
    rounds = [json.loads(line) for line in (out / "run" / "history.jsonl").read_text().splitlines()]
    assert {one["code"] for one in rounds} == {"ok"}
    assert len(rounds) == 3 * study.federation.rounds
    roster = Roster.from_text((out / "run" / "roster.json").read_text())
    assert roster.names == SITES


def test_every_site_paid_with_its_own_share_and_opened_each_sum_once(
    joint_run: tuple[Path, Study],
) -> None:
    out, study = joint_run
    for site in SITES:
        assert [one.purpose for one in paid(out / "sites" / site)] == [
            "statistics attempt 1",
            *(f"round {number} attempt 1" for number in range(1, study.federation.rounds + 1)),
        ]
        view = LedgerView.read(out / "sites" / site / "ledger")
        opened = view.book.reservations.values()
        assert all(one.result and one.roster and one.masked_sum for one in opened)
        assert all(one.record.joint is not None for one in opened)
    rosters = {
        one.roster
        for site in SITES
        for one in LedgerView.read(out / "sites" / site / "ledger").book.reservations.values()
    }
    assert len(rosters) == 1


def test_the_model_takes_the_step_that_the_sum_of_the_parts_says(
    joint_run: tuple[Path, Study],
) -> None:
    out, study = joint_run
    before, after = (
        load_file(out / "run" / "checkpoints" / f"round-00000{number}" / "state.safetensors")
        for number in (1, 2)
    )
    names = sorted(name for name in before if name.startswith("model:"))
    step = np.concatenate(
        [(after[name].astype(np.float64) - before[name]).ravel() for name in names]
    )
    parts = [_part(out, site, "round 2 attempt 1") for site in SITES]
    values = SumGrid(study.privacy.clip_norm).values(np.sum(parts, axis=0, dtype=np.uint32))
    expected = -study.local.learning_rate * values / study.privacy.sample_rate
    patients = float(expected @ expected / (expected @ step))
    assert patients >= 1.0 - 1e-6  # the weights are float32
    np.testing.assert_allclose(step, expected / patients, atol=1e-6)
    # The noise is what the three shares come to, whatever the few patients' gradients are.
    share = plan_joint(study.privacy, study.federation.rounds).minimum_share
    own = [np.std(SumGrid(1.0).values(part)) for part in parts]
    assert np.std(values) == pytest.approx(share * np.sqrt(3), rel=0.02)
    assert own == pytest.approx([share] * 3, rel=0.02)


@pytest.mark.parametrize("privacy", [("collusion_epsilon", 40.0), ("colluding_sites", 0)])
def test_simulated_sites_allow_what_the_study_asks_of_them(
    make_study: Callable[..., Study], tmp_path: Path, privacy: tuple[str, float]
) -> None:
    name, value = privacy
    study = make_study(*JOINT, f"privacy.{name}={value}")
    site = Site(name="north", data=tmp_path, state=tmp_path / "state", base=tmp_path)
    write_policies([site], study)
    policy = load_policy(site.policy)
    assert policy.collusion_ceiling_in_force >= study.privacy.collusion_epsilon
    assert policy.max_colluding_sites <= study.privacy.most_colluding


def test_too_few_sites_are_told_before_anything_begins(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    write_hospitals(tmp_path / "two", {"north": 3, "south": 3})
    with pytest.raises(ConfigurationError, match="min_sites = 3"):
        simulate(make_study(*JOINT), tmp_path / "two", tmp_path / "out", workers=1)
    assert not (tmp_path / "out" / "sites").exists()


@pytest.mark.parametrize(
    "change",
    [
        "local.proximal_mu=0.1",
        "local.ema_decay=0.9",
        "federation.wire=int8",
        "federation.strategy=fedadam",
        "federation.weights=declared",
        "privacy.statistics_share=0",
    ],
)
def test_settings_that_mean_nothing_in_a_joint_study_are_refused(
    make_study: Callable[..., Study], change: str
) -> None:
    with pytest.raises(ConfigurationError, match=change.partition("=")[0]):
        require_fitting(make_study(*JOINT, change), 32)


def _part(out: Path, site: str, purpose: str) -> np.ndarray:
    """Return a site's part of a sum, by what its ledger calls it."""
    entries = paid(out / "sites" / site)
    request = next(one.request for one in entries if one.purpose == purpose)
    return next(
        unpack(file.read_bytes())["sum"]
        for file in (out / "parts" / site).rglob("*.sum")
        if release_digest(message=file.stem, attempt=1) == request
    )
