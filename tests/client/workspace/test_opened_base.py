"""What of a base stays open in a process that stays: one base, while its files are untouched."""

from __future__ import annotations

import gc
import os
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fedscan.client.workspace import opened
from fedscan.client.workspace.opened import OpenGenerator, Start, open_generator
from fedscan.federation.protocol import tensors_digest
from fedscan.model.settings import TrainableSettings

TRAINABLE = TrainableSettings(subset="attention")


@pytest.fixture(autouse=True)
def nothing_open() -> Iterator[None]:
    opened._forget_generators()
    yield
    opened._forget_generators()


@pytest.fixture
def own_base(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "base"))


def a_start(base: Path) -> Start:
    parameters = open_generator(base, TRAINABLE, "cpu").parameters
    name = min(parameters)
    tensors = {name: np.zeros(tuple(parameters[name].shape), np.float32)}
    return Start(tensors_digest(tensors), tensors)


def test_a_base_stays_open_while_its_files_are_untouched(own_base: Path) -> None:
    first = open_generator(own_base, TRAINABLE, "cpu")
    opened.forget_changed_base()
    opened.forget_scans()
    assert open_generator(own_base, TRAINABLE, "cpu") is first


def rewritten(file: Path) -> None:
    """The same bytes at the same time, as a copy that keeps times leaves them."""
    times = file.stat()
    file.write_bytes(file.read_bytes())
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def replaced(file: Path) -> None:
    copy = file.with_name("copy")
    shutil.copy2(file, copy)
    copy.replace(file)


@pytest.mark.parametrize("touch", [rewritten, replaced, Path.unlink])
def test_whatever_is_done_to_one_of_its_files_closes_it(
    own_base: Path, touch: Callable[[Path], object]
) -> None:
    first = open_generator(own_base, TRAINABLE, "cpu")
    digest = first.digest
    touch(own_base / "README.md")
    opened.forget_changed_base()
    second = open_generator(own_base, TRAINABLE, "cpu")
    assert second is not first
    assert second.digest == digest


def alive(generators: list[weakref.ref[OpenGenerator]]) -> list[bool]:
    gc.collect()
    return [one() is not None for one in generators]


def test_one_base_is_open_at_a_time_as_it_is_and_warmed_up(base: Path, own_base: Path) -> None:
    start = a_start(base)
    plain = weakref.ref(open_generator(base, TRAINABLE, "cpu"))
    warmed_up = weakref.ref(open_generator(base, TRAINABLE, "cpu", start))
    assert alive([plain, warmed_up]) == [True, True]
    other = weakref.ref(open_generator(own_base, TRAINABLE, "cpu"))
    assert alive([plain, warmed_up, other]) == [False, False, True]


def test_another_study_makes_room_before_it_takes_any(base: Path) -> None:
    start = a_start(base)
    held = [weakref.ref(open_generator(base, TRAINABLE, "cpu"))]
    held.append(weakref.ref(open_generator(base, TRAINABLE, "cpu", start)))
    other = TrainableSettings(subset="lora")
    held.append(weakref.ref(open_generator(base, other, "cpu")))
    assert alive(held) == [False, False, True]
