"""A vocabulary: the words that captions are made of, and what selects each of them.

A word is selected by a code or by a name of it; nothing is ever copied from where it was found.
The frame is fixed and the same for every study (modalities, eight body regions, five kinds of
finding, planes, sex, age bands): sizes of regions, statistics and tasks are counted in it. Within
the frame a vocabulary has words of its own, each with its place: *knee* within *limb*, *glioma*
within *lesion*, *FLAIR* within *MR*. The order of words is their weight: of several findings the
first stands first in a caption.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from ..description import CONTRASTS, FINDINGS, VIEWS, Description
from .matching import PhraseMatcher, normalised

NO_FINDING, OTHER_FINDING = "no finding", "other finding"

#: What words may be about, in the order of the TOML tables.
KINDS = ("finding", "body part", "sequence", "kernel", "view", "laterality", "contrast")


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word of a vocabulary.

    Attributes:
        kind: One of :data:`KINDS`.
        word: As it stands in captions.
        within: The word of the frame that it belongs to; empty for kinds without one.
        codes: Codes that select it, each ``"SYSTEM:code"``; ICD-10 also as ``"ICD10:J12-J18"``.
        names: Names that select it, besides the word itself.
    """

    kind: str
    word: str
    within: str = ""
    codes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """The words of a study or of a generator.

    Attributes:
        words: In the order of their weight.
    """

    words: tuple[Word, ...]

    def __len__(self) -> int:
        return len(self.words)

    def of_kind(self, kind: str) -> Iterator[Word]:
        """Iterate over the words of a kind, in the order of their weight."""
        return (word for word in self.words if word.kind == kind)

    @cached_property
    def is_few(self) -> bool:
        """Whether there is no word beyond the frame."""
        return all(word.word in (word.within, *VIEWS, *CONTRASTS) for word in self.words)

    def find(self, text: str, kind: str = "finding") -> Word | None:
        """Return the word that a text or a code names as a whole, else nothing.

        Args:
            text: A word, a name of it, or a code: ``"SCT:125605004"``, ``"125605004"``,
                ``"RID4650"``, ``"S82.1"``. Case, spaces, hyphens and underscores do not count.
            kind: What the word is about.

        >>> from fedscan.model.words.tables import shipped_words
        >>> [shipped_words().find(text).word for text in ("S82.1", "Pleural_Effusion")]
        ['fracture', 'pleural effusion']
        """
        return self.find_code(text, kind) or self._by_name[kind].get(normalised(text))

    def find_code(self, code: str, kind: str = "finding") -> Word | None:
        """Return the word that a code selects, with or without its system; else nothing."""
        system, _, value = code.strip().upper().rpartition(":")
        system = _SYSTEMS.get(system.replace("-", ""), system)
        if not value:
            return None
        if of_code := self._by_code[kind].get(value):
            return of_code if system in ("", _system_of(value)) else None
        if system in ("", "ICD10") and _ICD10.fullmatch(value):
            return next(
                (word for ranges, word in self._by_range[kind] if _in_range(value, ranges)), None
            )
        return None

    def words_in(self, text: str, kind: str) -> list[tuple[Word, int, int]]:
        """Return the words of a kind that a text names, each with where it stands.

        Args:
            text: Any.
            kind: What the words are about.

        Returns:
            (word, begin, end), in the order of the text; of names that begin at one place the
            longest.
        """
        places = self._matchers[kind].find(text.lower())
        return [(self._by_name[kind][name], start, end) for name, start, end in places]

    def with_findings(self, description: Description, words: Iterable[Word]) -> Description:
        """Say what findings an image shows.

        Args:
            description: What else it shows.
            words: Findings of this vocabulary in any order; none means that nothing is known.

        Returns:
            The description with all of them, the weightiest first. "No finding" holds only
            where nothing else does, and a word of the frame only where none within it does.
        """
        order = {word.word: place for place, word in enumerate(self.of_kind("finding"))}
        findings = sorted({w.word: w for w in words}.values(), key=lambda w: order.get(w.word, 0))
        if any(word.within != NO_FINDING for word in findings):
            findings = [word for word in findings if word.within != NO_FINDING]
        finer = {word.within for word in findings if word.word != word.within}
        if len(findings) > 1:
            findings = [w for w in findings if w.word != w.within or w.within not in finer]
        if len(findings) > 1:
            findings = [word for word in findings if word.word != OTHER_FINDING]
        first = findings[0].within if findings else ""
        if [word.word for word in findings] == [first]:
            return replace(description, finding=first, findings=())
        return replace(description, finding=first, findings=tuple(w.word for w in findings))

    @cached_property
    def _by_name(self) -> dict[str, dict[str, Word]]:
        tables: dict[str, dict[str, Word]] = {kind: {} for kind in KINDS}
        for word in self.words:
            for name in (word.word, *word.names):
                # The weightier word keeps a name that two words claim.
                tables[word.kind].setdefault(normalised(name), word)
        return tables

    @cached_property
    def _by_code(self) -> dict[str, dict[str, Word]]:
        tables: dict[str, dict[str, Word]] = {kind: {} for kind in KINDS}
        for word in self.words:
            for code in word.codes:
                if not code.startswith("ICD10:"):
                    tables[word.kind].setdefault(code.partition(":")[2], word)
        return tables

    @cached_property
    def _by_range(self) -> dict[str, list[tuple[tuple[str, str], Word]]]:
        tables: dict[str, list[tuple[tuple[str, str], Word]]] = {kind: [] for kind in KINDS}
        for word in self.words:
            for code in word.codes:
                system, _, value = code.partition(":")
                if system == "ICD10":
                    low, _, high = value.partition("-")
                    tables[word.kind].append(((low, high or low), word))
        for entries in tables.values():
            # C79.5 before C79, and that before C00-C97: the most exact code says most.
            entries.sort(key=lambda one: (one[0][0] != one[0][1], -len(one[0][0])))
        return tables

    @cached_property
    def _matchers(self) -> dict[str, PhraseMatcher]:
        return {kind: PhraseMatcher(names) for kind, names in self._by_name.items()}


_ICD10 = re.compile(r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?")
_SYSTEMS = {"SNOMED": "SCT", "SNOMEDCT": "SCT", "ICD10CM": "ICD10", "RID": "RADLEX"}


def _system_of(value: str) -> str:
    return "RADLEX" if value.startswith("RID") else "SCT"


def _in_range(code: str, ends: tuple[str, str]) -> bool:
    """Tell whether an ICD-10 code lies between two, each with all codes that begin so."""
    low, high = (end.replace(".", "") for end in ends)
    value = code.replace(".", "")
    return low <= value[: len(low)] and value[: len(high)] <= high


def frame_findings() -> tuple[str, ...]:
    """Return the kinds of finding that every vocabulary has, the most telling first."""
    return tuple(sorted(FINDINGS, key=lambda word: (word == NO_FINDING, word == OTHER_FINDING)))
