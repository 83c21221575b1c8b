"""A combined model that is not finite ends the round, and nothing of it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from fedscan.errors import RoundFailedError
from toy_federation import Federation


@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "fedavgm", "server_learning_rate": 1e39},
        {"strategy": "fedadam", "server_learning_rate": 1e39, "server_tau": 1e-9},
    ],
    ids=["fedavgm", "fedadam"],
)
def test_an_overflow_is_not_saved(tmp_path: Path, settings: dict[str, object]) -> None:
    federation = Federation(tmp_path)
    with pytest.raises(RoundFailedError, match="not finite") as failure:
        federation.run(rounds=4, **settings)
    assert "server_learning_rate" in failure.value.hint
    assert federation.shown == []
    assert not list(federation.checkpoints_folder.glob("round-00000[1-9]"))
