"""What the warm-up changed is kept at the site, and asked for where it is gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fedscan.client.answers.start_store import find_start, keep_start
from fedscan.errors import StartNeededError
from fedscan.federation.protocol import RoundRequest, tensors_digest


def request(value: float) -> RoundRequest:
    start = {"w": np.full((2, 3), value, np.float32)}
    return RoundRequest(round=1, rounds=2, base="0" * 64, terms={}, tensors={}, start=start)


def test_without_a_warm_up_there_is_none(tmp_path: Path) -> None:
    plain = RoundRequest(round=1, rounds=2, base="0" * 64, terms={}, tensors={})
    assert find_start(plain, tmp_path) is None
    keep_start(None, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_came_once_is_found_again(tmp_path: Path) -> None:
    whole = request(1)
    keep_start(find_start(whole, tmp_path), tmp_path)
    found = find_start(whole.without_start(), tmp_path)
    assert found is not None
    assert tensors_digest(found.tensors) == whole.start_digest


def test_what_never_came_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StartNeededError):
        find_start(request(1).without_start(), tmp_path)


@pytest.mark.parametrize("cut", [True, False])
def test_a_damaged_file_is_asked_for_again_and_replaced(tmp_path: Path, cut: bool) -> None:
    whole = request(1)
    keep_start(find_start(whole, tmp_path), tmp_path)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content[:-1] if cut else content)
    with pytest.raises(StartNeededError):
        find_start(whole.without_start(), tmp_path)
    keep_start(find_start(whole, tmp_path), tmp_path)
    assert find_start(whole.without_start(), tmp_path) is not None


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for value in range(6):
        keep_start(find_start(request(value), tmp_path), tmp_path)
    kept = {file.stem for file in tmp_path.iterdir()}
    assert kept == {request(value).start_digest for value in range(2, 6)}
