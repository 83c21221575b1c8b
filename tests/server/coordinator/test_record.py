"""The signed record: a change of it, another signer and another generator are noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fedscan.errors import SignatureError
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import generator_digest, save_generator
from fedscan.server.coordinator.record import (
    read_record_public_key,
    sign_record,
    verify_record,
    write_record_key,
)


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
