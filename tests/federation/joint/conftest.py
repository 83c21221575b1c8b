from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.federation.joint.keys import StudyKey
from fedscan.federation.joint.pairs import PairSecrets
from fedscan.federation.joint.roster import Roster
from fedscan.federation.pki.keys import new_key

STUDY = "5" * 64


@pytest.fixture(scope="session")
def keys() -> dict[str, StudyKey]:
    """Four sites' keys for one study."""
    names = ("east", "north", "south", "west")
    return {name: StudyKey.generate(STUDY, name, new_key()) for name in names}


@pytest.fixture(scope="session")
def make_roster(keys: dict[str, StudyKey]) -> Callable[..., Roster]:
    """A roster of these sites; values given by name replace others."""

    def make(**values: object) -> Roster:
        usual = {
            "study": STUDY,
            "members": tuple(keys[name].public for name in sorted(keys)),
            "min_sites": 3,
            "colluding_sites": 1,
            "minimum_share": 0.7,
            "clip_norm": 0.05,
            "sample_rate": 0.25,
            "steps": 12,
            "spare_attempts": 4,
        }
        return Roster(**{**usual, **values})

    return make


@pytest.fixture
def make_pairs(
    keys: dict[str, StudyKey], tmp_path: Path
) -> Callable[[Roster], dict[str, PairSecrets]]:
    """Each site's side of its pairs in a roster."""

    def make(roster: Roster) -> dict[str, PairSecrets]:
        return {name: PairSecrets(keys[name], roster, tmp_path / name) for name in roster.names}

    return make
