"""Locks exclude processes and threads, name their holder, and die with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fedscan.common.locks import holding, in_turn, is_locked, locked_file, take_lock
from fedscan.errors import DataError

HOLDER = """
import os, sys, time
from pathlib import Path
from fedscan.common.locks import take_lock
from fedscan.errors import DataError
lock = take_lock(Path(sys.argv[1]), 5, DataError)
if sys.argv[2:] and os.fork() == 0:
    os.close(0), os.close(1), os.close(2)
    time.sleep(30)
    os._exit(0)
print("here", flush=True)
time.sleep(30)
"""


def busy(holder: str) -> DataError:
    return DataError(f"held by {holder}")


def hold_elsewhere(path: Path, *words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), *words],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    """End a holder and what it has forked."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_two_objects_in_one_thread_exclude_each_other(tmp_path):
    with holding(tmp_path / "lock", 0, busy):
        assert is_locked(tmp_path / "lock")
        with pytest.raises(DataError, match=f"held by {os.getpid()}"):
            take_lock(tmp_path / "lock", 0.05, busy)
    assert not is_locked(tmp_path / "lock")


def test_a_lock_is_given_back_when_its_block_fails(tmp_path):
    with pytest.raises(KeyError), holding(tmp_path / "lock", 0, busy):
        raise KeyError
    take_lock(tmp_path / "lock", 0, busy).release()


def test_a_lock_may_be_given_back_by_another_thread(tmp_path):
    lock = take_lock(tmp_path / "lock", 0, busy)
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()
    assert not is_locked(tmp_path / "lock")


def test_threads_take_turns(tmp_path):
    inside, most = [], []

    def work(number: int) -> None:
        with in_turn(tmp_path / "lock"):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.01)
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    assert most == [1] * 8


@pytest.mark.parametrize("words", [(), ("with-a-child",)])
def test_the_kernel_drops_the_lock_of_a_killed_process(tmp_path, words):
    """Also where the holder had forked a process that lives on with its open files."""
    path = tmp_path / "lock"
    process = hold_elsewhere(path, *words)
    try:
        assert is_locked(path)
        with pytest.raises(DataError, match=f"held by {process.pid}"):
            take_lock(path, 0, busy)
        process.kill()
        take_lock(path, 5, busy).release()
    finally:
        end(process)


def test_a_lock_file_without_a_number_holds_up_nobody(tmp_path):
    path = tmp_path / "lock"
    path.write_bytes(b"\xffnot a number")
    assert not is_locked(path)
    with holding(path, 0, busy):
        assert path.read_text() == f"{os.getpid()}\n"
        path.write_bytes(b"\xff")
        with pytest.raises(DataError, match="held by unknown"):
            take_lock(path, 0, busy)


def test_only_its_owner_may_open_a_lock_file(tmp_path):
    with holding(tmp_path / "lock", 0, busy):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_what_is_not_there_is_not_locked_and_not_made(tmp_path):
    assert not is_locked(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_readers_of_a_file_share_it_and_keep_writers_out(tmp_path):
    path = tmp_path / "log"
    path.touch(0o400)
    steps: list[str] = []

    def write(descriptor: int) -> None:
        with locked_file(descriptor):
            steps.append("written")

    with path.open("rb") as one, path.open("rb") as other, path.open("rb") as third:
        thread = threading.Thread(target=write, args=[third.fileno()])
        with locked_file(one.fileno(), shared=True):
            with locked_file(other.fileno(), shared=True):
                thread.start()
                time.sleep(0.1)
            time.sleep(0.1)
            steps.append("read")
        thread.join()
    assert steps == ["read", "written"]
