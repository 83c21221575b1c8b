"""Damage: every changed, missing or added byte is found; only a torn last line is dropped."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.errors import LedgerError
from fedscan.privacy.ledger import Ledger, LedgerHead
from fedscan.privacy.ledger.book import Book
from fedscan.privacy.ledger.view import LedgerView
from fedscan.privacy.mechanism import SubsampledGaussian
from hypothesis import given
from hypothesis import strategies as st

STEP = SubsampledGaussian(1.0, 20.0, 1)
DOCUMENT = Path(__file__).parents[3] / "docs" / "ledger.md"


def digest(number: int) -> str:
    return f"{number:064x}"


def open_ledger(folder: Path) -> Ledger:
    return Ledger.open(folder, "data", epsilon_ceiling=8.0, delta=1e-5)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with entries of most kinds."""
    folder = tmp_path_factory.mktemp("original") / "ledger"
    with open_ledger(folder) as ledger:
        for number in (1, 2, 3):
            reservation = ledger.reserve(digest(number), [STEP], purpose=f"round {number}")
            ledger.complete(reservation, digest(100 + number))
        ledger.erase_secrets(3)
        ledger.reserve(digest(4), [STEP], purpose="round 4")
    return folder


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "ledger"))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory, original: Path) -> Path:
    """A folder to damage over and over; reading changes nothing in it."""
    folder = tmp_path_factory.mktemp("scratch")
    shutil.copy(original / "head.json", folder)
    return folder


def assert_found(scratch: Path, lines: bytes) -> str:
    (scratch / "ledger.jsonl").write_bytes(lines)
    with pytest.raises(LedgerError) as damage:
        LedgerView.read(scratch)
    return str(damage.value)


@given(data=st.data())
def test_any_changed_byte_is_found(original, scratch, data):
    lines = bytearray((original / "ledger.jsonl").read_bytes())
    position = data.draw(st.integers(0, len(lines) - 1))
    number = bytes(lines[:position]).count(b"\n") + 1
    lines[position] = data.draw(st.sampled_from(sorted(set(range(256)) - {lines[position]})))
    message = assert_found(scratch, bytes(lines))
    # A line that still reads well is found by the next one, or as the one the head confirms.
    assert f"Line {number} " in message or f"Line {number + 1} " in message


@given(data=st.data())
def test_any_missing_or_added_bytes_are_found(original, scratch, data):
    lines = (original / "ledger.jsonl").read_bytes()
    start = data.draw(st.integers(0, len(lines) - 1))
    end = data.draw(st.integers(start, len(lines)))
    added = data.draw(st.binary(max_size=40))
    changed = lines[:start] + added + lines[end:]
    # Only what was added after everything confirmed may be an interrupted line.
    if changed.startswith(lines):
        return
    assert "ine" in assert_found(scratch, changed)


def test_swapped_repeated_and_dropped_lines_are_found(original, scratch):
    lines = (original / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    for at in range(len(lines)):
        assert_found(scratch, b"".join(lines[:at] + lines[at + 1 :]))
        # Once more at the very end it could be an interrupted line, and is dropped as one.
        if at < len(lines) - 1:
            assert_found(scratch, b"".join(lines[: at + 1] + lines[at:]))
        if at:
            swapped = [*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]]
            assert_found(scratch, b"".join(swapped))


@pytest.mark.parametrize(
    "tail", [b"{", b'{"sequence":9,"time":"', b"\0" * 200, b"\xff\xfe", b"\n", b"null\n"]
)
def test_an_interrupted_line_is_dropped_and_nothing_else(original, copy, tail):
    lines = (original / "ledger.jsonl").read_bytes()
    (copy / "ledger.jsonl").write_bytes(lines + tail)
    view = LedgerView.read(copy)
    assert view.torn
    with open_ledger(copy) as ledger:
        assert ledger.entries() == view.entries
        assert (copy / "ledger.jsonl").read_bytes() == lines
        assert ledger.reserve(digest(4), [STEP], purpose="round 4").replay
        ledger.reserve(digest(5), [STEP], purpose="round 5")
        ledger.verify(view.head)


def test_two_broken_lines_at_the_end_are_damage(original, copy):
    with (copy / "ledger.jsonl").open("ab") as file:
        file.write(b"{\n{")
    with pytest.raises(LedgerError, match=r"Line 10 of ledger.jsonl is damaged"):
        open_ledger(copy)


def test_damage_is_refused_not_repaired(copy):
    path = copy / "ledger.jsonl"
    damaged = path.read_bytes().replace(b"round 2", b"round 9")
    path.write_bytes(damaged)
    with pytest.raises(LedgerError, match="Line 5 of"):
        open_ledger(copy)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b'{"sequence":"0","digest":"0"}', b'{"sequence":-1,"digest":""}', b"\xff"],
)
def test_a_damaged_head_is_refused(copy, content):
    (copy / "head.json").write_bytes(content)
    with pytest.raises(LedgerError, match=r"head\.json is damaged"):
        open_ledger(copy)


def test_missing_files_are_refused_not_begun_anew(copy):
    (copy / "head.json").rename(copy / "head")
    with pytest.raises(LedgerError, match=r"head\.json is missing"):
        open_ledger(copy)
    (copy / "head").rename(copy / "head.json")
    (copy / "ledger.jsonl").unlink()
    with pytest.raises(LedgerError, match=r"ledger\.jsonl is missing"):
        open_ledger(copy)
    (copy / "head.json").unlink()
    with pytest.raises(LedgerError, match="does not reserve"):
        open_ledger(copy)


def test_a_head_behind_the_lines_is_refused(original, copy):
    view = LedgerView.read(original)
    for behind in (2, 3, 9):
        entry = view.entries[len(view.entries) - behind]
        head = LedgerHead(entry.sequence, view.entries[entry.sequence + 1].previous)
        (copy / "head.json").write_bytes(head.to_json())
        if behind == 2:
            assert LedgerView.read(copy).head == view.head
        else:
            with pytest.raises(LedgerError, match="confirms line"):
                open_ledger(copy)


def test_a_chain_that_breaks_the_rules_is_refused(copy):
    """Lines chained by somebody else: well-formed, but the same step is paid for twice."""
    view = LedgerView.read(copy)
    with pytest.raises(LedgerError, match="paid for already"):
        Book([*view.entries, view.entries[1]])
    with pytest.raises(LedgerError, match="completes no open reservation"):
        Book([*view.entries, view.entries[2]])
    for entry, sequence in ((view.entries[0], len(view.entries)), (view.entries[1], 0)):
        with pytest.raises(LedgerError, match="only the first line"):
            Book([replace(entry, sequence=sequence)])


def test_a_stray_file_among_the_secrets_is_refused(copy):
    (copy / "secrets" / "notes.txt").write_text("")
    with pytest.raises(LedgerError, match=r"notes\.txt"):
        open_ledger(copy)


def test_the_documented_audit_by_hand_agrees(original, copy):
    script = DOCUMENT.read_text(encoding="utf-8").split("```bash\n")[1].split("```")[0]

    def audit(folder: Path) -> str:
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()[-1]

    assert audit(original) == f"head {LedgerView.read(original).head}"
    path = copy / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b"round 2", b"round 9"))
    assert audit(copy) == "line 5 does not continue line 4"
