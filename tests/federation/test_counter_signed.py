"""The coordinator's counter-signature: what it says, and that nobody else can have said it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fedscan.common.signing import open_signing_key
from fedscan.errors import ProtocolError, SignatureError
from fedscan.federation.counter_signed import LINES_KEPT, CounterSigned, LedgerMark
from fedscan.server.coordinator.record import read_record_public_key, write_record_key
from hypothesis import given
from hypothesis import strategies as st

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
MARKS = st.builds(LedgerMark, HEX, HEX)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "record.key"
    write_record_key(path)
    return path


@given(MARKS)
def test_a_mark_can_be_read_back(mark: LedgerMark) -> None:
    assert LedgerMark.parse(str(mark)) == mark


@given(st.text(max_size=140))
def test_nothing_else_is_a_mark(text: str) -> None:
    with pytest.raises(ProtocolError):
        LedgerMark.parse(text)


@given(st.lists(MARKS, max_size=20))
def test_what_was_signed_holds_the_newest_lines_of_each_ledger(
    key: Path, marks: list[LedgerMark]
) -> None:
    noted = CounterSigned(site="north")
    for mark in marks:
        noted = noted.with_mark(mark)
    read = CounterSigned.read(noted.sign(open_signing_key(key)), read_record_public_key(key))
    assert (read.site, read.lines) == ("north", noted.lines)
    for ledger in {mark.ledger for mark in marks}:
        told = list(dict.fromkeys(mark.line for mark in marks if mark.ledger == ledger))
        assert list(noted.lines[ledger]) == told[-LINES_KEPT:]


def test_old_lines_make_room_and_a_known_one_keeps_its_place() -> None:
    lines = [f"{number:064x}" for number in range(LINES_KEPT + 3)]
    noted = CounterSigned(site="north")
    for line in [*lines, lines[-2]]:
        noted = noted.with_mark(LedgerMark("a" * 64, line))
    assert noted.lines == {"a" * 64: tuple(lines[-LINES_KEPT:])}


def test_a_changed_document_and_anothers_signature_are_refused(key: Path, tmp_path: Path) -> None:
    noted = CounterSigned(site="north").with_mark(LedgerMark("a" * 64, "b" * 64))
    document, public = noted.sign(open_signing_key(key)), read_record_public_key(key)
    changed = json.loads(document)
    changed["content"]["ledgers"] = {}
    with pytest.raises(SignatureError, match="was changed"):
        CounterSigned.read(json.dumps(changed).encode(), public)
    write_record_key(tmp_path / "other.key")
    with pytest.raises(SignatureError, match="another key"):
        CounterSigned.read(document, read_record_public_key(tmp_path / "other.key"))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"content": {"ledgers": 3}}'])
def test_the_coordinators_own_damaged_file_is_begun_anew(content: bytes) -> None:
    assert CounterSigned.own(content, "north") == CounterSigned(site="north")
