"""Studies, generators, bundle and findings of an earlier commit are opened by today's code.

The files lie in ``before/``, whose README.md says how they were made. Where a result depends on
its last bits, bytes are compared with the software that made them, and numbers with any other.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from typing import Any

import numpy as np
import pytest
from fedscan import __version__
from fedscan.config.study import load_study, study_digest, study_to_toml
from fedscan.evaluation.readers.answers import AnswerBook
from fedscan.evaluation.readers.score import score_study
from fedscan.evaluation.readers.study import ReaderStudy
from fedscan.evaluation.results import read_examination
from fedscan.evaluation.section import Section
from fedscan.federation.bundle import build_bundle, bundle_hash
from fedscan.federation.protocol import PROTOCOL_VERSION
from fedscan.imaging.writing.manifest import check_folder
from fedscan.model.sampling import sample
from fedscan.model.storage import load_generator, weights_digest
from written_before import BASE, BEFORE, EXPECTED, SAME_SOFTWARE

# Studies


@pytest.mark.parametrize("name", ["defaults", "private", "open"])
def test_a_study_has_the_same_values(name: str) -> None:
    file = BEFORE / "studies" / f"{name}.toml"
    study = load_study(file)
    assert study_digest(study) == EXPECTED["studies"][name]
    assert tomllib.loads(study_to_toml(study)) == tomllib.loads(file.read_text())


def test_the_defaults_are_the_same() -> None:
    # Studies asked for all of what a default policy allows in a data set's life, began with a
    # warm-up, and trained low-rank updates whatever they could learn.
    assert load_study(BEFORE / "studies" / "defaults.toml") == load_study(
        None,
        [
            "privacy.epsilon=8",
            "privacy.statistics_share=0.1",
            "warm_up.enabled=true",
            "trainable.subset=lora",
        ],
    )


# Generators


def test_a_generator_draws_the_same_images() -> None:
    known = EXPECTED["generator"]
    assert weights_digest(BASE) == known["digest"]
    assert json.loads((BASE / "fedscan.json").read_text()) == known["card"]
    images = sample(load_generator(BASE), known["prompts"], **known["draw"])
    require_same_images(images)


def test_a_generator_opens_with_diffusers_alone() -> None:
    """In a process that has not imported fedscan, as the folder's own README.md says."""
    known = EXPECTED["generator"]
    done = subprocess.run(
        [sys.executable, "-c", _WITH_DIFFUSERS, str(BASE)],
        input=json.dumps([known["prompts"], known["draw"]]).encode(),
        capture_output=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr.decode()
    images = np.frombuffer(done.stdout, np.float32)
    require_same_images(images.reshape(len(known["prompts"]), 32, 32))


_WITH_DIFFUSERS = """
import json, sys
from diffusers import DiffusionPipeline

prompts, draw = json.load(sys.stdin)
folder = sys.argv[1]
pipeline = DiffusionPipeline.from_pretrained(
    folder, custom_pipeline=folder, trust_remote_code=True
)
draw["num_inference_steps"] = draw.pop("steps")
sys.stdout.buffer.write(pipeline(prompts, **draw, output_type="np").images.tobytes())
"""


def require_same_images(images: np.ndarray) -> None:
    """Compare drawn images with those that the earlier commit drew."""
    if SAME_SOFTWARE:
        digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
        assert digests == EXPECTED["generator"]["images"]
    with np.load(BEFORE / "images.npz") as stored:
        np.testing.assert_allclose(images, stored["images"], atol=1e-3)


def test_generated_images_are_as_their_signed_manifest_says() -> None:
    checked = check_folder(BEFORE / "generated")
    assert checked.unlisted == ()
    assert len(checked.files) >= 1
    assert checked.generator == EXPECTED["generator"]["digest"]


# The bundle that coordinator and sites agree on


def test_the_bundle_is_the_same() -> None:
    """But for the versions of fedscan and of the protocol, where there are new ones."""
    stored = BEFORE / "bundle.fab"
    assert hashlib.sha256(stored.read_bytes()).hexdigest() == EXPECTED["bundle"]
    with zipfile.ZipFile(stored) as bundle:
        tools = tomllib.loads(bundle.read("pyproject.toml").decode())["tool"]
    if (__version__, PROTOCOL_VERSION) == (EXPECTED["fedscan"], tools["fedscan"]["protocol"]):
        assert build_bundle() == stored.read_bytes()
        assert bundle_hash() == EXPECTED["bundle"]
    assert tools["flwr"]["app"]["components"] == {
        "serverapp": "fedscan.server.coordinator.app:app",
        "clientapp": "fedscan.client.app:app",
    }


# What was found out about a generator


def assert_says_all(today: Any, before: Any) -> None:
    """Check that a document holds every key and value of an earlier one; it may say more."""
    if isinstance(before, dict):
        assert before.keys() <= today.keys()
        for key, value in before.items():
            assert_says_all(today[key], value)
    elif isinstance(before, list):
        assert len(today) == len(before)
        for one, other in zip(today, before, strict=True):
            assert_says_all(one, other)
    else:
        assert today == before


def test_an_examination_can_be_read() -> None:
    folder = BEFORE / "examination"
    found = read_examination(folder)
    assert_says_all(found.to_dict(), json.loads((folder / "examination.json").read_text()))
    assert found.generator == EXPECTED["private"]["generator"]
    assert found.gate is not None
    assert found.gate.passed
    (section,) = found.sections
    kept = json.loads((folder / "sections" / f"{section.key}.json").read_text())
    assert Section.from_dict(kept["section"]) == section
    assert any(measure.value is not None for measure in section.measures)


def test_a_reader_study_can_be_scored() -> None:
    folder = BEFORE / "reader-study"
    opened = ReaderStudy.open(folder)
    assert sorted(opened.key().values()) == [False, False, True, True]
    assert all(opened.image(item).startswith(b"\x89PNG") for item in opened.order("ann"))
    book = AnswerBook(opened)
    assert book.readers() == ("ann", "bob")
    assert {one.rating for one in book.of("bob").values()} == {3}
    stored = Section.from_dict(json.loads((folder / "scores.json").read_text()))
    found = score_study(opened)
    assert [one.name for one in found.measures] == [one.name for one in stored.measures]
    for one, other in zip(found.measures, stored.measures, strict=True):
        assert one.value == pytest.approx(other.value)
