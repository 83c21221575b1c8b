"""A log is followed: the newest lines first, then each as it is written."""

from __future__ import annotations

import threading
from itertools import islice
from pathlib import Path

from fedscan.common.audit import AuditLog
from fedscan.common.audit.following import follow_entries, newest_entries


def test_the_newest_lines_come_in_their_order(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    assert newest_entries(log, 3) == []
    for number in range(5):
        log.append("counted", number=number)
    assert [entry.facts["number"] for entry in newest_entries(log, 3)] == [2, 3, 4]
    assert newest_entries(log, 9) == log.entries()


def test_what_is_written_meanwhile_comes_once_and_in_order(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.append("counted", number=0)

    def write() -> None:
        for number in range(1, 21):
            log.append("counted", number=number)

    writer = threading.Thread(target=write)
    writer.start()
    later = list(islice(follow_entries(log, after=1, pause_s=0.01), 20))
    writer.join()
    assert [entry.facts["number"] for entry in later] == list(range(1, 21))
