"""A round's generator goes out to be scored; only members' own scores of it come back in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fedscan.client.steward.enrolment import init_site
from fedscan.client.steward.home import SiteHome, SiteSettings
from fedscan.common.audit import AuditLog
from fedscan.config.study import load_study
from fedscan.errors import CheckpointError, FederationError, ProtocolError, SignatureError
from fedscan.federation.invitation import Invitation
from fedscan.federation.pki.keys import new_key, read_private_key
from fedscan.federation.scores import ScoreReport
from fedscan.model.generator import Generator
from fedscan.model.statistics.scores import CELLS
from fedscan.model.storage import generator_digest, load_generator
from fedscan.model.trainable import select_trainable
from fedscan.server.begun import CHECKPOINTS, begun
from fedscan.server.checkpoint import Checkpoints, FederationState
from fedscan.server.coordinator.home import Addresses, Home
from fedscan.server.coordinator.members import enrol, revoke
from fedscan.server.coordinator.orders import submit
from fedscan.server.coordinator.scores import scored_rounds
from fedscan.server.coordinator.scoring import export_round, take_scores
from fedscan.server.coordinator.setup import create_home
from fedscan.server.coordinator.studies import StudyFolder
from tiny_generators import save_tiny_generator

ADDRESSES = Addresses(
    name="f", host="127.0.0.1", port=8443, listen="127.0.0.1", superlink_port=9091
)


def filled(folder: StudyFolder, value: float, number: int) -> FederationState:
    generator = load_generator(folder.job.base)
    parameters = select_trainable(generator, folder.study.trainable)
    model = {name: np.full(one.shape, value, np.float32) for name, one in parameters.items()}
    return FederationState(round=number, model=model)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A coordinator with one member, and a study that has finished two rounds."""
    home = create_home(tmp_path / "coordinator", ADDRESSES)
    base = save_tiny_generator(tmp_path / "base")
    init_site(tmp_path / "north", SiteSettings(name="north"))
    enrol(home, "north", (tmp_path / "north" / "request.json").read_bytes())
    settings = ["name=lungs", f"generator.base={base}", "data.image_size=32"]
    folder = submit(home, load_study(None, [*settings, "trainable.subset=attention"]))
    names = begun(folder.job.run, folder.study, folder.job.base)
    checkpoints = Checkpoints(folder.job.run / CHECKPOINTS, study=names.training, limit=3)
    for number in (1, 2):
        checkpoints.save(filled(folder, number / 100, number))
    return home


@pytest.fixture
def study(home: Home) -> StudyFolder:
    return StudyFolder(home.studies / "lungs")


@pytest.fixture
def report(home: Home, study: StudyFolder, tmp_path: Path) -> ScoreReport:
    """Scores of the second round, as a site would release them."""
    assert export_round(home, "lungs", tmp_path / "second") == 2
    numbers = [0.0] * CELLS
    numbers[0], numbers[-1] = 80.0, 80.0
    return ScoreReport(
        site="north",
        study=Invitation.from_json(study.invitation.read_bytes()).digest,
        generator=generator_digest(tmp_path / "second"),
        finding="lesion",
        numbers=tuple(numbers),
        deviation=1.5,
    )


def sign(home: Home, report: ScoreReport) -> bytes:
    site = SiteHome.open(home.root.parent / "north")
    return report.sign(read_private_key(site.tls_key))


def weights(generator: Generator, settings: Callable[..., object]) -> float:
    parameters = select_trainable(generator, settings)  # type: ignore[arg-type]
    return float(next(iter(parameters.values())).detach().mean())


def test_each_rounds_own_generator_is_written(
    home: Home, study: StudyFolder, tmp_path: Path
) -> None:
    for number in (1, 2):
        assert export_round(home, "lungs", tmp_path / str(number), number) == number
        generator = load_generator(tmp_path / str(number))
        assert weights(generator, study.study.trainable) == pytest.approx(number / 100)
    with pytest.raises(CheckpointError, match="no checkpoint of round 7"):
        export_round(home, "lungs", tmp_path / "7", 7)


def test_a_members_scores_are_taken_in_and_on_record(home: Home, report: ScoreReport) -> None:
    assert take_scores(home, "lungs", sign(home, report)) == report
    (one,) = scored_rounds(home.studies / "lungs" / "run")
    assert (one.round, one.sites, one.is_best, one.is_last) == (2, ("north",), True, True)
    events = [entry.event for entry in AuditLog(home.audit).entries()]
    assert events[-1] == "scores-received"


def test_what_is_not_the_sites_or_not_of_this_study_is_refused(
    home: Home, report: ScoreReport
) -> None:
    with pytest.raises(SignatureError):
        take_scores(home, "lungs", report.sign(new_key()))
    for other, error in (
        (replace(report, site="south"), FederationError),
        (replace(report, study="12" * 32), ProtocolError),
        (replace(report, generator="34" * 32), ProtocolError),
        (replace(report, numbers=report.numbers[:3]), ProtocolError),
        (replace(report, deviation=float("nan")), ProtocolError),
        (replace(report, deviation=0.0), ProtocolError),
    ):
        with pytest.raises(error):
            take_scores(home, "lungs", sign(home, other))
    for content in (b"", b"[]", b"{}", b'{"content": {}, "signature": ""}'):
        with pytest.raises(ProtocolError, match="not a file of scores"):
            take_scores(home, "lungs", content)
    revoke(home, "north")
    with pytest.raises(FederationError, match="no site 'north'"):
        take_scores(home, "lungs", sign(home, report))
    assert scored_rounds(home.studies / "lungs" / "run") == []
