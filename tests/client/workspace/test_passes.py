"""Rows at once: chosen once, the same for every repetition, halved where memory runs out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fedscan.client.site import Site
from fedscan.client.terms import StudyTerms
from fedscan.client.workspace.opened import OpenGenerator
from fedscan.client.workspace.passes import in_passes
from fedscan.config.study import load_study
from fedscan.errors import ModelError
from fedscan.model.computing.memory import MemoryNeed, Passes, measure_need, plan_passes
from fedscan.model.generator import Generator, build_generator
from fedscan.model.settings import GeneratorSettings, TrainableSettings
from fedscan.model.trainable import select_trainable
from fedscan.server.terms import site_terms
from hypothesis import given
from hypothesis import strategies as st

STUDY = "ab" * 32
TERMS = StudyTerms.from_texts(site_terms(load_study(None, ["privacy.draws_per_patient=4"])))


@pytest.fixture(scope="module")
def base_model() -> OpenGenerator:
    generator = build_generator(GeneratorSettings(size="tiny"))
    parameters = select_trainable(generator, TERMS.trainable)
    return OpenGenerator(generator=generator, parameters=parameters, digest="", earlier="")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(name="north", data=tmp_path, state=tmp_path / "state", base=tmp_path)


class Memory:
    """A computation that needs more memory than there is for more than so many rows."""

    def __init__(self, rows: int) -> None:
        self.rows, self.tries = rows, list[int]()

    def __call__(self, rows: int) -> str:
        self.tries.append(rows)
        if rows > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return "the answer"


def test_the_number_is_halved_kept_and_taken_again(site: Site, base_model: OpenGenerator) -> None:
    little, much = Memory(8), Memory(1000)
    assert in_passes(site, STUDY, TERMS, base_model, little) == "the answer"
    assert little.tries == [32, 16, 8]
    in_passes(replace(site, rows_at_once=64), STUDY, TERMS, base_model, much)
    assert much.tries == [8]  # an answer that is made again has the bytes of the first
    in_passes(replace(site, rows_at_once=64), "cd" * 32, TERMS, base_model, much)
    assert much.tries == [8, 64]


def test_most_is_computed_twice_before_a_patient_is_too_large(
    site: Site, base_model: OpenGenerator
) -> None:
    nothing = Memory(0)
    with pytest.raises(ModelError, match="does not hold the 4 rows of one patient"):
        in_passes(site, STUDY, TERMS, base_model, nothing)
    assert nothing.tries == [32, 16, 8, 4, 4]
    assert base_model.generator.unet.is_gradient_checkpointing


def test_another_error_is_not_taken_for_a_lack_of_memory(
    site: Site, base_model: OpenGenerator
) -> None:
    def fails(rows: int) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        in_passes(site, STUDY, TERMS, base_model, fails)


def test_what_a_pass_keeps_is_measured_without_computing(base_model: OpenGenerator) -> None:
    generator = base_model.generator
    need = measure_need(generator, TrainableSettings(subset="attention"))
    numbers = sum(
        value.numel()
        for name, value in generator.named_parameters()
        if ".attn" in name and "lora" not in name
    )
    assert need.vector == 4 * numbers
    assert need.row == pytest.approx(kept_by_a_row(generator), rel=0.3)
    assert need.row_computed_twice < need.row


def kept_by_a_row(generator: Generator) -> int:
    """Bytes that a real pass of one row keeps, weights left out."""
    copy = build_generator(GeneratorSettings(size="tiny"))
    select_trainable(copy, TrainableSettings(subset="attention"))
    own = {value.untyped_storage().data_ptr() for value in copy.parameters()}
    sizes: dict[int, int] = {}
    tensors = []

    def count(tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in own:
            sizes[place] = tensor.untyped_storage().nbytes()
            tensors.append(tensor)  # its place is not taken again
        return tensor

    latents = torch.zeros(1, *copy.latent_shape)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        copy.denoise(latents, torch.zeros(1).long(), copy.embed([""]), torch.tensor([0.5]))
    return sum(sizes.values())


@given(
    row=st.integers(1, 10**10),
    vector=st.integers(1, 10**9),
    free=st.integers(0, 10**12),
    draws=st.integers(1, 16),
)
def test_a_plan_never_asks_for_more_than_there_is(
    row: int, vector: int, free: int, draws: int
) -> None:
    need = MemoryNeed(weights=0, training=0, vector=vector, row=row, row_computed_twice=row // 4)
    passes = plan_passes(need, free, draws=draws, most=512)
    assert draws <= passes.rows <= max(512, draws)
    if not passes.twice:
        assert passes.rows * row + passes.rows // draws * vector <= free
    else:  # only where not even one patient would fit as a whole
        assert plan_passes(need, free, draws=draws, most=draws) == Passes(rows=draws, twice=True)
