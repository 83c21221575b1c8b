"""The audit log: what was written is found again, and nothing in it can change unnoticed."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest
from fedscan.common.audit import AuditHead, AuditLog, verify
from fedscan.errors import AuditError
from hypothesis import given
from hypothesis import strategies as st


def _write(path: Path, count: int) -> AuditHead:
    for number in range(count):
        last = AuditLog(path).append("asked", round=number, tensors=[["a.weight", [2, 3]]])
    return last.head


def _fresh(folder: Path) -> Path:
    return folder / f"{len(list(folder.iterdir()))}.jsonl"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


def test_entries_read_back_in_order(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.append("asked", who="coordinator", round=1)
    last = log.append("answered", code="ok", reason="Umlaut ä, line\nfeed")
    first, second = log.entries()
    assert (first.event, dict(first.facts)) == ("asked", {"who": "coordinator", "round": 1})
    assert second == last
    assert verify(tmp_path / "audit.jsonl") == last.head
    assert AuditHead.parse(str(last.head)) == last.head


@given(position=st.integers(0, 10_000), mask=st.integers(1, 255))
def test_any_changed_byte_is_found(folder: Path, position: int, mask: int) -> None:
    path = folder / "changed.jsonl"
    if not path.exists():
        _write(path, 3)
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= mask
    copy = folder / "copy.jsonl"
    copy.write_bytes(content)
    copy.with_name("copy.jsonl.head").write_bytes(path.with_name("changed.jsonl.head").read_bytes())
    with pytest.raises(AuditError, match=r"Line \d"):
        verify(copy)


@given(data=st.data())
def test_any_other_order_or_choice_of_lines_is_found(folder: Path, data: st.DataObject) -> None:
    path = folder / "order.jsonl"
    if not path.exists():
        _write(path, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    chosen = data.draw(st.lists(st.sampled_from(range(4)), max_size=6))
    copy = folder / "chosen.jsonl"
    copy.write_bytes(b"".join(lines[number] for number in chosen))
    copy.with_name("chosen.jsonl.head").write_bytes(path.with_name("order.jsonl.head").read_bytes())
    if chosen == [0, 1, 2, 3]:
        assert verify(copy).length == 4
    else:
        with pytest.raises(AuditError, match=r"Line \d"):
            verify(copy)


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_log_that_was_cut_takes_no_further_line(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "audit.jsonl"
    _write(path, 3)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:lines]))
    with pytest.raises(AuditError):
        AuditLog(path).append("more")
    with pytest.raises(AuditError):
        verify(path)


def test_a_log_without_its_head_is_found(tmp_path: Path) -> None:
    _write(tmp_path / "audit.jsonl", 2)
    (tmp_path / "audit.jsonl.head").unlink()
    with pytest.raises(AuditError, match=r"audit\.jsonl\.head"):
        verify(tmp_path / "audit.jsonl")


@pytest.mark.parametrize("torn", [1, 20, 150])
def test_a_line_that_a_crash_cut_short_is_dropped(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "audit.jsonl"
    head = _write(path, 2)
    with path.open("ab") as file:
        file.write(path.read_bytes()[:torn].replace(b"\n", b" "))
    assert verify(path) == head
    AuditLog(path).append("after")
    assert [entry.event for entry in AuditLog(path).entries()] == ["asked", "asked", "after"]


@pytest.mark.parametrize("before", [0, 2])
def test_a_crash_before_the_head_was_written_loses_nothing(tmp_path: Path, before: int) -> None:
    path = tmp_path / "audit.jsonl"
    head_file = tmp_path / "audit.jsonl.head"
    if before:
        _write(path, before)
    old = head_file.read_bytes() if before else None
    _write(path, 1)
    if old is None:
        head_file.unlink()
    else:
        head_file.write_bytes(old)
    assert verify(path).length == before + 1
    AuditLog(path).append("after")
    assert verify(path).length == before + 2


def test_a_noted_head_uncovers_a_rewritten_log(tmp_path: Path) -> None:
    noted = _write(tmp_path / "audit.jsonl", 2)
    for file in tmp_path.iterdir():
        file.unlink()
    AuditLog(tmp_path / "audit.jsonl").append("another history")
    with pytest.raises(AuditError, match="longer"):
        verify(tmp_path / "audit.jsonl", noted)
    _write(tmp_path / "audit.jsonl", 2)
    with pytest.raises(AuditError, match="noted"):
        verify(tmp_path / "audit.jsonl", noted)


def test_processes_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write, args=(path, 10)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert verify(path).length == 30


def test_a_full_disk_is_told_and_leaves_a_whole_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    head = _write(path, 2)
    pwrite = os.pwrite

    def half(descriptor: int, data: bytes, position: int) -> int:
        if len(data) < 50:
            raise OSError(28, "No space left on device")
        return pwrite(descriptor, bytes(data[: len(data) // 2]), position)

    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", half)
        with pytest.raises(AuditError, match="No space"):
            AuditLog(path).append("third")
    assert verify(path) == head
    assert AuditLog(path).append("third").sequence == 3


def test_long_lines_are_found_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for _ in range(3):
        AuditLog(path).append("large", names=["x" * 100] * 2000)
    assert verify(path).length == 3


def test_facts_without_a_json_form_are_refused(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    with pytest.raises(ValueError, match="JSON"):
        log.append("asked", norm=float("nan"))
    assert log.append("asked").sequence == 1


def test_where_there_is_no_log_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="cannot be read"):
        verify(tmp_path / "audit.jsonl")


def test_the_newest_lines_that_hold_a_text_come_first(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    assert list(log.newest_first(b"x")) == []
    for number in range(5):
        log.append("answered" if number % 2 else "asked", number=number)
    assert [one.facts["number"] for one in log.newest_first(b'"asked"')] == [4, 2, 0]
    content = (tmp_path / "audit.jsonl").read_bytes()
    (tmp_path / "audit.jsonl").write_bytes(content.replace(b'"number":1', b'"number":7'))
    lines = log.newest_first(b'"answered"')
    assert next(lines).facts["number"] == 3
    with pytest.raises(AuditError, match="Line 2 of the audit log was changed"):
        next(lines)
    assert [one.facts["number"] for one in log.newest_first(b'"asked"')] == [4, 2, 0]
