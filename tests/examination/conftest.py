"""What the tests of examiners share: made-up chests and a generator that never learnt."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

# The tests import the helper by name.
sys.path.insert(0, str(Path(__file__).parent))

from fedscan.evaluation.real_sets import ImageSet, RealSets
from made_up_chests import pairs


@pytest.fixture(scope="session")
def chests() -> RealSets:
    rng = np.random.default_rng(0)
    return RealSets(
        train=ImageSet.of(pairs(rng, "north/t", 60)),
        holdout=ImageSet.of(pairs(rng, "north/h", 40)),
    )


@pytest.fixture(scope="session")
def untrained():
    """A generator with random weights, of the chests' size."""
    from fedscan.model.generator import build_generator
    from fedscan.model.settings import GeneratorSettings

    return build_generator(GeneratorSettings(size="tiny"), seed=3)


@pytest.fixture
def subject(chests, untrained, tmp_path: Path):
    from fedscan.examination.subject import Subject

    return Subject(
        name="fedscan",
        generator=untrained,
        others={"base": untrained},
        real=chests,
        out=tmp_path,
        steps=1,
        guidance_scale=1.0,
    )
