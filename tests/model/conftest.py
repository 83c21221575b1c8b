import pytest
import torch
from fedscan.model.generator import Generator, build_generator
from fedscan.model.settings import GeneratorSettings


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def tiny() -> Generator:
    return build_generator(GeneratorSettings(size="tiny"), seed=3)
