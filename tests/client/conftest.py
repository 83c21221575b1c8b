"""A site's home with four made-up patients, and studies that ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fedscan.client.steward.home import SiteHome
from fedscan.client.workspace import opened as workspace
from fedscan.config.study import load_study
from fedscan.federation.protocol import RoundReply, RoundRequest
from fedscan.model.storage import generator_digest
from fedscan.server.terms import site_terms
from fedscan.simulation.apps import load_client_app
from fedscan.simulation.grid import InProcessGrid
from flwr.app import Message, RecordDict
from site_homes import begin_anew, make_home
from tiny_generators import save_tiny_generator

_STUDY = (
    "data.image_size=32",
    "data.holdout_fraction=0.0",
    "trainable.subset=attention",
    "privacy.clip_norm=1.0",
    "privacy.draws_per_patient=1",
    "federation.rounds=2",
    "local.steps=1",
)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_generator(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def make_request(base: Path) -> Callable[..., RoundRequest]:
    """Make a round's request; ``make_request("section.key=value", …, number=1, fill=0.01)``."""

    def make(*changes: str, number: int = 1, fill: float = 0.01) -> RoundRequest:
        study = load_study(None, [f"generator.base={base}", *_STUDY, *changes])
        opened = workspace.open_generator(base, study.trainable, "cpu")
        return RoundRequest(
            round=number,
            rounds=study.federation.rounds,
            base=generator_digest(base),
            terms=site_terms(study),
            tensors={
                name: np.full(value.shape, fill, np.float32)
                for name, value in opened.parameters.items()
            },
        )

    return make


@pytest.fixture
def home(tmp_path: Path, base: Path) -> Iterator[SiteHome]:
    begin_anew()
    yield make_home(tmp_path, base)
    begin_anew()


@pytest.fixture
def ask(home: SiteHome) -> Callable[..., RoundReply]:
    """Ask the site's real ClientApp as a coordinator would; ``at`` names another site's home."""

    def send(
        request: RoundRequest | RecordDict, kind: str = "train", at: SiteHome = home
    ) -> RoundReply:
        records = request if isinstance(request, RecordDict) else request.to_records()
        with InProcessGrid(load_client_app, [{"home": str(at.folder)}]) as grid:
            (reply,) = grid.send_and_receive([Message(records, grid.get_node_ids()[0], kind)])
        return RoundReply.from_records(reply.content)

    return send
