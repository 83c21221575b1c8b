"""Vocabularies as tables: those that ship, those of a study, and the file beside a generator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomli_w

from ...common.toml_settings import read_settings
from ...errors import ConfigurationError
from ..description import BODY_PARTS, CONTRASTS
from ..settings import VocabularySettings, WordSettings
from .vocabulary import KINDS, Vocabulary, Word, frame_findings

#: File beside a generator's weights.
VOCABULARY = "vocabulary.toml"
#: Names of the tables, one for each of :data:`KINDS`.
TABLES = (
    "findings",
    "body_parts",
    "sequences",
    "kernels",
    "views",
    "lateralities",
    "contrasts",
)
_HINT = "Restore the file from where it was made; docs/words.md says how a vocabulary is written."
_HEADING = """\
# The words that this generator's captions are made of, and what selects them. Its prompts are read
# against them; the tables may stand in a study.toml, below [vocabulary].

"""


@cache
def few_words() -> Vocabulary:
    """Return the words of the frame alone, with what selects them: all there was at first."""
    return _merged(_read(Path(str(files("fedscan.model.words") / "frame.toml"))), _bare_frame())


@cache
def shipped_words() -> Vocabulary:
    """Return the words that ship with fedscan."""
    return _merged(_read(Path(str(files("fedscan.model.words") / "shipped.toml"))), few_words())


def study_words(settings: VocabularySettings, base: Vocabulary) -> Vocabulary:
    """Return the words of a study.

    Args:
        settings: The study's own.
        base: The words that its base brings.

    Raises:
        ConfigurationError: If two of its words are the same, or a word is left out that there
            is not.
    """
    begins = {"base": base, "shipped": shipped_words(), "few": few_words()}
    return _merged(settings, begins.get(settings.start) or _bare_frame())


def read_vocabulary(folder: Path) -> Vocabulary:
    """Read the words that lie beside a generator; few where there are none.

    Raises:
        ConfigurationError: If the file is not as it must be.
    """
    path = folder / VOCABULARY
    return _merged(_read(path), _bare_frame()) if path.is_file() else few_words()


def vocabulary_to_toml(vocabulary: Vocabulary) -> str:
    """Write a vocabulary as TOML; :func:`read_vocabulary` reads it back."""
    tables: dict[str, Any] = {"start": "none"}
    for kind, table in zip(KINDS, TABLES, strict=True):
        rows = []
        for word in vocabulary.of_kind(kind):
            row = {"word": word.word, "within": word.within, "codes": word.codes}
            row["names"] = word.names
            rows.append({key: value for key, value in row.items() if value})
            if kind == "contrast":
                rows[-1].pop("within")
        if rows:
            tables[table] = rows
    return _HEADING + tomli_w.dumps(tables)


def _read(path: Path) -> VocabularySettings:
    return read_settings(VocabularySettings, path, what="The vocabulary", hint=_HINT)


def _bare_frame() -> Vocabulary:
    findings = [Word(kind="finding", word=word, within=word) for word in frame_findings()]
    parts = [Word(kind="body part", word=word, within=word) for word in BODY_PARTS]
    return Vocabulary((*findings, *parts))


def _merged(settings: VocabularySettings, start: Vocabulary) -> Vocabulary:
    """Put a vocabulary's own words before those that it starts with, less those it leaves out."""
    own = list(_words(settings))
    frame = {word.word for word in start.words if word.word == word.within}
    _check(settings, own, start, frame)
    replacements = {(word.kind, word.word.lower()) for word in own}
    # A word of the frame may get other names, and keeps its place behind the finer ones.
    own_of_frame = {(word.kind, word.word): word for word in own if word.word in frame}
    first = [word for word in own if (word.kind, word.word) not in own_of_frame]
    rest = [
        own_of_frame.get((word.kind, word.word), word)
        for word in start.words
        if (
            (word.kind, word.word.lower()) not in replacements
            or (word.kind, word.word) in own_of_frame
        )
        and word.word not in settings.leave_out
    ]
    return Vocabulary((*first, *rest))


def _words(settings: VocabularySettings) -> Iterator[Word]:
    for kind, table in zip(KINDS, TABLES, strict=True):
        rows: Sequence[WordSettings] = getattr(settings, table)
        for row in rows:
            within = row.word if kind == "contrast" else getattr(row, "within", "")
            yield Word(kind=kind, word=row.word, within=within, codes=row.codes, names=row.names)


def _check(
    settings: VocabularySettings, own: Sequence[Word], start: Vocabulary, frame: set[str]
) -> None:
    problems = []
    pairs: set[tuple[str, str]] = set()
    for word in own:
        key = (word.kind, word.word.lower())
        if key in pairs:
            problems.append(f"the {word.kind} {word.word!r} is there twice")
        pairs.add(key)
        is_of_frame = word.kind in ("finding", "body part") and word.word in frame
        if is_of_frame and word.within != word.word:
            problems.append(f"{word.word!r} belongs to the frame: write within = {word.word!r}")
        if word.kind == "contrast" and word.word not in CONTRASTS:
            problems.append(f"the contrast {word.word!r} is none of {', '.join(CONTRASTS)}")
    frame_words = {word.word for word in start.words}
    for text in settings.leave_out:
        if text not in frame_words:
            problems.append(f"leave_out names {text!r}, which there is not")
        elif text in frame:
            problems.append(f"{text!r} belongs to the frame and cannot be left out")
    if problems:
        raise ConfigurationError(
            f"The vocabulary has words that cannot be: {'; '.join(problems)}.",
            hint="docs/words.md says how a vocabulary is written.",
        )
