"""Free prompts: what of a sentence the generator can honour, and what it cannot.

The text encoder has only ever seen captions in the words of the generator's vocabulary. A sentence
in other words would move the images at random, so it is read first: what it asks for becomes a
caption, and every word that could not be honoured is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from .description import Description, age_band
from .negation import Said, how_said
from .words.phrases import Phrase, phrases_in
from .words.tables import few_words
from .words.vocabulary import NO_FINDING, Vocabulary, Word

_SIZE = re.compile(r"(\d{2,5})\s*(?:x|×|by)\s*(\d{2,5})(?:\s*(?:pixels?|px))?")
_AGE = re.compile(
    r"(?<![\w-])(\d{1,3})[- ]?(years?|yrs?|yo?|y/o|months?|mo|weeks?|days?)(?![\w])"
    r"(?:[- ]?old|[- ]of[- ]age)?"
)
_UNIT = re.compile(r"(?:in |calibrated (?:in|to) )?(?:hounsfield(?: units?)?|hu)(?: calibrated)?")
#: Words that ask for nothing of their own.
_FILLER = frozenset(
    re.findall(
        r"\w+",
        "a an and in of the with image images picture scan scans slice slices view show showing "
        "shows patient patients adult aged body year years unit units calibrated weighted",
    )
)
#: Words of a denial or a doubt: they have been read with what they stand by.
_LITTLE_WORDS = re.compile(
    r"(?<![\w-])(?:no|not|without|negative for|free of|free from|absence of|evidence of|signs? of"
    r"|exclud(?:es?|ed|ing)|ruled? out|rul(?:es|ing) out|absent|negative|suspicion of"
    r"|suspect(?:ed)?|possibl[ey]|probabl[ey]|query|history of|r/o|neither|nor|or|any|but|is|are"
    r"|was|were|has|have|been)(?![\w-])|\?"
)


@dataclass(frozen=True, kw_only=True)
class PromptReading:
    """What a prompt asks for.

    Attributes:
        description: What the image shall show; ``None`` if no modality is named, so that no
            caption can be composed.
        size: ``(width, height)`` in pixels, if the prompt names one.
        hounsfield: Whether Hounsfield units are asked for.
        places_named: Whether it names a part of the body.
        contradictions: Pairs of which only the first is honoured, such as two planes.
        unsure: What the prompt denies or doubts, so that nothing of it can be drawn.
        unknown_words: Words that mean nothing to the generator.
    """

    description: Description | None
    size: tuple[int, int] | None = None
    hounsfield: bool = False
    places_named: bool = False
    contradictions: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    unknown_words: tuple[str, ...] = ()

    def shortcomings(self, image_size: int) -> list[str]:
        """Return what is not honoured in images of a size, a sentence each.

        Args:
            image_size: Height and width of the images that are made.
        """
        lines = [f"{pair}; only the first is honoured." for pair in self.contradictions]
        if self.size is not None and self.size != (image_size, image_size):
            width, height = self.size
            lines.append(
                f"{width}×{height}: the images are {image_size}×{image_size}; --size (size=) asks "
                "for another size."
            )
        description = self.description
        if self.hounsfield and description is not None and description.modality != "CT":
            lines.append(f"Hounsfield units: {description.modality} has none.")
        if self.unsure:
            lines.append(f"Denied or only suspected, so not asked for: {', '.join(self.unsure)}.")
        if self.unknown_words:
            lines.append(f"No meaning to the generator: {', '.join(self.unknown_words)}.")
        return lines


def read_prompt(prompt: str, words: Vocabulary | None = None) -> PromptReading:
    """Read a prompt; captions are read back to exactly what they were composed from.

    Args:
        prompt: Free text.
        words: The generator's own words; those of the frame by default.
    """
    words = words or few_words()
    text = re.sub(r"['’]s\b", "", prompt.lower())
    size, text = _take(_SIZE, text)
    unit, text = _take(_UNIT, text)
    age, text = _take(_AGE, text)
    whole, reading = text, _Asked(words)
    if age:
        reading.fields["age_band"] = _band(age)
    for phrase in phrases_in(text, words):
        text = text[: phrase.start] + " " * len(phrase.text) + text[phrase.end :]
        reading.take(phrase, whole)
    if reading.unsure or whole != text:
        text = _LITTLE_WORDS.sub(" ", text)
    rest = [word for word in re.findall(r"[^\s,.;:()]+", text) if word not in _FILLER]
    description = reading.description()
    return PromptReading(
        description=description,
        size=(int(size[1]), int(size[2])) if size else None,
        hounsfield=unit is not None,
        places_named=reading.place is not None,
        contradictions=tuple(reading.contradictions),
        unsure=tuple(dict.fromkeys(reading.unsure)),
        unknown_words=tuple(dict.fromkeys(rest)),
    )


class _Asked:
    """What is gathered from a prompt, phrase by phrase.

    Args:
        words: The generator's own words.
    """

    def __init__(self, words: Vocabulary) -> None:
        self.words = words
        self.fields: dict[str, str] = {}
        self.findings: list[Word] = []
        self.place: Word | None = None
        self.denied = False
        self.contradictions: list[str] = []
        self.unsure: list[str] = []
        #: Where a finding lies that names it: "brain tumour", "lung nodule".
        self._implied_place: Word | None = None

    def take(self, phrase: Phrase, whole: str) -> None:
        """Take a phrase as the prompt says it: as there, as not there, or as in doubt."""
        kind, word = phrase.kind, phrase.word
        way = how_said(whole, phrase.start, phrase.end, far=kind in ("finding", "contrast"))
        if way is Said.DENIED and kind == "finding" and word.word != NO_FINDING:
            self.denied = True
        elif way is Said.DENIED and word.word == "with contrast":
            self._hold("contrast", "without contrast")
        elif way is not Said.THERE:
            self.unsure.append(phrase.text)
        elif kind == "finding":
            self.findings.append(word)
            self._imply_place(phrase)
        elif kind == "mammogram":
            self._hold("modality", "X-ray")
            self._hold_place(word)
        elif kind == "body part":
            self._hold_place(word)
        elif kind == "sequence":
            self._hold("sequence", word.word)
            self._hold("modality", word.within)
        else:
            self._hold(kind, word.word)

    def description(self) -> Description | None:
        """Return the description, without what the modality cannot have."""
        if "modality" not in self.fields:
            return None
        fields: dict[str, Any] = dict(self.fields)
        place = self.place or self._implied_place
        if place is not None:
            fields["body_part"] = place.within
            fields["part"] = "" if place.word == place.within else place.word
        description = self._with_findings(Description(**fields))
        fitting = replace(description, **_impossible(description))
        for name in _impossible(description):
            if word_lost := getattr(description, name):
                self.contradictions.append(f"{description.modality} and {word_lost}")
        return fitting

    def _with_findings(self, description: Description) -> Description:
        findings = [word for word in self.findings if word.word != NO_FINDING]
        if self.words.is_few and len(findings) > 1:
            # One finding is all that such a generator's captions ever said.
            others = [word for word in findings if word.word != findings[0].word]
            self.contradictions += [f"{findings[0].word} and {word.word}" for word in others]
            findings = findings[:1]
        if findings:
            return self.words.with_findings(description, findings)
        if self.findings or self.denied:
            return replace(description, finding=NO_FINDING)
        return description

    def _hold(self, field: str, word: str) -> None:
        first = self.fields.setdefault(field, word)
        if field == "modality" and (first.endswith(word) or word.endswith(first)):
            # A weighting says more than the bare "MR" that may stand beside it.
            self.fields[field] = max(first, word, key=len)
        elif first != word:
            self.contradictions.append(f"{first} and {word}")

    def _hold_place(self, word: Word) -> None:
        first = self.place = self.place or word
        if first.within == word.within and first.word == first.within:
            self.place = word
        elif word.word not in (first.word, first.within):
            self.contradictions.append(f"{first.word} and {word.word}")

    def _imply_place(self, phrase: Phrase) -> None:
        places = [one for one, _, _ in self.words.words_in(phrase.text, "body part")]
        if places:
            self._implied_place = places[0]


def _impossible(description: Description) -> dict[str, Any]:
    """Return the fields that an image of the modality does not have, emptied."""
    is_film, is_mr = description.modality == "X-ray", description.modality.endswith("MR")
    fields = {"plane": is_film, "view": not is_film, "sequence": not is_mr}
    fields["kernel"] = description.modality != "CT"
    return {name: "" for name, lacks in fields.items() if lacks}


def _band(age: re.Match[str]) -> str:
    """Name the age band of a number of years, months, weeks or days."""
    return age_band(float(age[1])) if age[2].startswith("y") else "child"


def _take(pattern: re.Pattern[str], text: str) -> tuple[re.Match[str] | None, str]:
    match = pattern.search(text)
    return match, pattern.sub(" ", text, count=1)
