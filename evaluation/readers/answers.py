"""Readers' answers, appended durably: what a reader has given is never asked again."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from ...common.files import sync_folder
from ...errors import DataError
from .study import ANSWERS, ReaderStudy, check_reader

#: Ratings and what they mean; from the third on, an image is taken for real.
RATINGS = ("surely synthetic", "probably synthetic", "probably real", "surely real")
ACCEPTED = 3


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One reader's word on one image.

    Attributes:
        item: The image.
        rating: 1 to 4, as in :data:`RATINGS`.
        seconds: From seeing the image to the answer.
    """

    item: str
    rating: int
    seconds: float


class AnswerBook:
    """The answers of a study, one file for each reader. A later answer replaces an earlier."""

    def __init__(self, study: ReaderStudy) -> None:
        self._study = study
        self._lock = threading.Lock()

    def add(self, reader: str, answer: Answer) -> None:
        """Append an answer; it is on disk when this returns.

        Raises:
            ConfigurationError: If the reader's name is of a wrong form.
            DataError: If the image is not of this study or the rating is none.
        """
        check_reader(reader)
        if answer.item not in self._study.items:
            raise DataError("The study has no such image.")
        if not 1 <= answer.rating <= len(RATINGS):
            raise DataError(f"{answer.rating} is no rating.", hint=f"Use 1 to {len(RATINGS)}.")
        file = self._file(reader)
        with self._lock:
            file.parent.mkdir(parents=True, exist_ok=True)
            is_new = not file.exists()
            with file.open("ab+") as book:
                # A line that a crash cut short ends here, and is skipped when read.
                if book.tell() and not _ends_line(book.fileno(), book.tell()):
                    book.write(b"\n")
                book.write(json.dumps(asdict(answer)).encode() + b"\n")
                book.flush()
                os.fsync(book.fileno())
            if is_new:
                sync_folder(file.parent)

    def of(self, reader: str) -> dict[str, Answer]:
        """A reader's latest answers by image.

        Raises:
            ConfigurationError: If the reader's name is of a wrong form.
        """
        check_reader(reader)
        try:
            lines = self._file(reader).read_bytes().splitlines()
        except FileNotFoundError:
            return {}
        answers = {}
        for line in lines:
            answer = _parse(line)
            if answer is not None and answer.item in self._study.items:
                answers[answer.item] = answer
        return answers

    def readers(self) -> tuple[str, ...]:
        """Everybody who answered."""
        files = (self._study.folder / ANSWERS).glob("*.jsonl")
        return tuple(sorted(file.name.removesuffix(".jsonl") for file in files))

    def _file(self, reader: str) -> Path:
        # One reader is one file on every system, however the name is written.
        return self._study.folder / ANSWERS / f"{reader.lower()}.jsonl"


def _ends_line(descriptor: int, size: int) -> bool:
    return os.pread(descriptor, 1, size - 1) == b"\n"


def _parse(line: bytes) -> Answer | None:
    try:
        values = json.loads(line)
        answer = Answer(
            item=str(values["item"]),
            rating=int(values["rating"]),
            seconds=float(values["seconds"]),
        )
    except (ValueError, KeyError, TypeError):
        return None  # cut short by a crash; its reader was never told that it was kept
    return answer if 1 <= answer.rating <= len(RATINGS) else None
