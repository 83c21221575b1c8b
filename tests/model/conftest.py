import numpy as np
import pytest
import torch
from fedscan.model.description import Description
from fedscan.model.example import Example
from fedscan.model.generator import Generator, build_generator
from fedscan.model.settings import GeneratorSettings


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def tiny() -> Generator:
    return build_generator(GeneratorSettings(size="tiny"), seed=3)


@pytest.fixture
def make_example():
    """Returns examples of a film, black."""

    def make() -> Example:
        return Example(
            image=np.full((32, 32), -1, np.float32), description=Description(modality="X-ray")
        )

    return make
