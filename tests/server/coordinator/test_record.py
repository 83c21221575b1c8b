"""The signed record: a change of it, another signer and another generator are noticed."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from fedscan.config.study import load_study
from fedscan.errors import SignatureError
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import generator_digest, save_generator
from fedscan.server.coordinator.record import (
    read_record_public_key,
    sign_record,
    study_record,
    verify_record,
    write_record_key,
)
from fedscan.server.job import ServerJob


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generator")
    save_generator(build_generator(GeneratorSettings(size="tiny")), folder)
    return folder


def test_a_record_is_good_with_its_key_and_its_generator_only(
    generator: Path, tmp_path: Path
) -> None:
    for name in ("mine", "other"):
        write_record_key(tmp_path / name / "record.key")
    mine = read_record_public_key(tmp_path / "mine" / "record.key")
    other = read_record_public_key(tmp_path / "other" / "record.key")
    record = {"study": "lungs", "generator": generator_digest(generator)}
    content = sign_record(record, tmp_path / "mine" / "record.key")
    assert verify_record(content, mine, generator) == record
    assert verify_record(content, mine, None) == record
    with pytest.raises(SignatureError, match="another key"):
        verify_record(content, other, generator)
    changed = json.loads(content)
    changed["content"]["study"] = "other"
    with pytest.raises(SignatureError, match="does not fit"):
        verify_record(json.dumps(changed).encode(), mine, generator)
    weights = next(generator.rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(SignatureError, match="not the one of the record"):
        verify_record(content, mine, generator)


@pytest.fixture
def released(generator: Path, tmp_path: Path) -> tuple[Path, bytes, str]:
    """A copy of a generator, its signed record as a study makes it, and the coordinator's key."""
    folder = tmp_path / "released"
    shutil.copytree(generator, folder)
    write_record_key(tmp_path / "record.key")
    record = {"study": "lungs", "generator": generator_digest(folder), "files": digests(folder)}
    key = read_record_public_key(tmp_path / "record.key")
    return folder, sign_record(record, tmp_path / "record.key"), key


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_every_file_of_a_released_folder_counts(released: tuple[Path, bytes, str]) -> None:
    folder, content, key = released
    verify_record(content, key, folder)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        with pytest.raises(SignatureError, match=r"not the one|was changed"):
            verify_record(content, key, folder)
        path.unlink()
        with pytest.raises(SignatureError, match=r"not the one|is missing"):
            verify_record(content, key, folder)
        path.write_bytes(before)
    verify_record(content, key, folder)
    (folder / "unet" / "extra.py").write_text("")
    with pytest.raises(SignatureError, match=r"unet/extra\.py was added"):
        verify_record(content, key, folder)


@pytest.mark.parametrize("joint", [False, True])
def test_a_record_says_what_was_promised(generator: Path, tmp_path: Path, joint: bool) -> None:
    study = load_study(
        None,
        ["privacy.epsilon=4"]
        + ['privacy.sum="joint"', "privacy.min_sites=6", "local.steps=1"] * joint,
    )
    job = ServerJob(
        study=tmp_path / "study.toml", base=generator, run=tmp_path / "run", generator=generator
    )
    promise = study_record(study, job, "0" * 64)["privacy"]
    expected = {"epsilon": 4.0, "delta": 1e-5}
    if joint:
        expected |= {"collusion_epsilon": 20.0, "min_sites": 6, "colluding_sites": 2}
    assert promise == expected
    private = study_record(load_study(None, ["privacy.enabled=false"]), job, "0" * 64)
    assert private["privacy"] is None
