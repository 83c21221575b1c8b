"""Files and folders are whole or absent, also when making them fails or is interrupted."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from fedscan.common.files import replacing, write_atomically, write_once
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(), st.binary())
def test_a_file_has_the_old_content_until_it_has_the_new(tmp_path, old, new):
    path = tmp_path / "deep" / "file"
    write_atomically(path, old)
    with replacing(path) as temporary:
        temporary.write_bytes(new)
        assert path.read_bytes() == old
    assert path.read_bytes() == new
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("failure", [OSError, KeyError, KeyboardInterrupt])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failure_leaves_the_old_and_no_litter(tmp_path, failure, kind):
    path = tmp_path / "it"

    def make(text: str, failure: type[BaseException] | None = None) -> None:
        with replacing(path) as target:
            if kind == "folder":
                target.mkdir()
                target = target / "inside"
            target.write_text(text)
            if failure:
                raise failure

    make("old")
    with pytest.raises(failure):
        make("new", failure)
    assert os.listdir(tmp_path) == ["it"]
    assert (path / "inside" if kind == "folder" else path).read_text() == "old"
    # Also where nothing was made yet.
    with pytest.raises(failure), replacing(path):
        raise failure
    assert os.listdir(tmp_path) == ["it"]


def test_a_folder_takes_the_place_of_another_with_all_that_is_in_it(tmp_path):
    left_by_a_killed_process = tmp_path / f".it.{os.getpid()}.tmp"
    for name in ("one", "two"):
        left_by_a_killed_process.mkdir()
        (left_by_a_killed_process / "half").touch()
        with replacing(tmp_path / "it") as temporary:
            temporary.mkdir()
            (temporary / name).touch()
        assert os.listdir(tmp_path / "it") == [name]
    assert os.listdir(tmp_path) == ["it"]


def test_a_secret_is_written_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "new" / "secret"
    write_once(path, b"first")
    write_once(path, b"second")
    assert path.read_bytes() == b"first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["secret"]


def test_of_several_processes_one_writes_the_secret_and_all_find_it(tmp_path):
    script = (
        "import sys; from pathlib import Path; from fedscan.common.files import write_once; "
        "path = Path(sys.argv[1]); write_once(path, sys.argv[2].encode()); print(path.read_text())"
    )

    def start(number: int) -> str:
        command = [sys.executable, "-c", script, str(tmp_path / "secret"), f"by {number}"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(start, range(3)))) == 1
