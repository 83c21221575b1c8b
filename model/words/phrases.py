"""What phrases of a prompt mean: those of the frame, and the words of a generator's vocabulary."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ..planes import PLANES
from .vocabulary import Vocabulary, Word

#: Phrases of what every generator knows, as regular expressions on lower-case text.
_FRAME: tuple[tuple[str, str, str], ...] = (
    (r"t1(?:[- ]?w(?:eighted)?)?(?: mri?| mr imaging)?", "modality", "T1-weighted MR"),
    (r"t2(?:[- ]?w(?:eighted)?)?(?: mri?| mr imaging)?", "modality", "T2-weighted MR"),
    (r"computed tomography|ct|cat scan", "modality", "CT"),
    (r"magnetic resonance|mri?", "modality", "MR"),
    (r"x[- ]?rays?|radiographs?|cxr", "modality", "X-ray"),
    (r"ultrasound|sonogram", "modality", "ultrasound"),
    (r"axial|transverse|transaxial", "plane", "axial"),
    (r"coronal", "plane", "coronal"),
    (r"sagittal", "plane", "sagittal"),
    (r"postero-?anterior|pa(?: view)?", "view", "PA"),
    (r"antero-?posterior|ap(?: view)?", "view", "AP"),
    (r"lateral(?: view)?", "view", "lateral"),
    (r"head|brains?|skull|cranial", "body part", "head"),
    (r"neck|cervical", "body part", "neck"),
    (r"chest|thorax|thoracic|lungs?|heart|pulmonary", "body part", "chest"),
    (r"abdomen|abdominal|liver|kidneys?|spleen", "body part", "abdomen"),
    (r"pelvis|pelvic|hips?", "body part", "pelvis"),
    (r"spine|spinal|vertebrae?|lumbar", "body part", "spine"),
    (r"limbs?|arms?|legs?|hands?|f(?:oo|ee)t|knees?", "body part", "limb"),
    (
        r"(?:the|whole) body|(?<=left )body|(?<=right )body|(?<!foreign )body(?= x-?ray)",
        "body part",
        "body",
    ),
    (r"no findings?|normal|healthy|unremarkable", "finding", "no finding"),
    (r"other findings?", "finding", "other finding"),
    (r"lesions?|tumou?rs?|mass(?:es)?", "finding", "lesion"),
    (r"pneumonia", "finding", "pneumonia"),
    (r"covid(?:-19)?", "finding", "COVID-19"),
    (
        r"(?:without|no) (?:i\.?v\.? )?contrast(?: agent)?|non-?contrast|unenhanced",
        "contrast",
        "without contrast",
    ),
    (r"with contrast|contrast[- ]enhanced|enhanced", "contrast", "with contrast"),
    (r"female|wom[ae]n|girls?", "sex", "female"),
    (r"male|m[ae]n|boys?", "sex", "male"),
    (
        r"child(?:ren)?|p(?:a)?ediatric|infants?|newborns?|neonates?|bab(?:y|ies)|toddlers?",
        "age_band",
        "child",
    ),
    (r"young(?: adults?)?", "age_band", "young adult"),
    (r"middle[- ]aged", "age_band", "middle-aged"),
    (r"elderly|old", "age_band", "elderly"),
)
#: A name of fewer letters stands in headers, and means too much in a sentence.
_SHORTEST = 3
#: Names of kernels are words of everything ("bone", "standard"): in a prompt only the word counts.
_BY_WORD_ALONE = ("kernel",)


@dataclass(frozen=True)
class Phrase:
    """A phrase that was found in a prompt.

    Attributes:
        start: Where it begins.
        text: As it stands there.
        kind: What it is about: a kind of word, or another field of a description.
        word: What it means.
    """

    start: int
    text: str
    kind: str
    word: Word

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)


def phrases_in(text: str, words: Vocabulary) -> list[Phrase]:
    """Return the phrases of a text in its order; of overlapping ones the longest.

    Args:
        text: In lower case.
        words: The generator's words.
    """
    spans = sorted(
        (
            Phrase(match.start(), match.group(), kind, word)
            for pattern, kind, word in _patterns(words)
            for match in pattern.finditer(text)
        ),
        key=lambda one: (-len(one.text), one.start),
    )
    longest: list[Phrase] = []
    for one in spans:
        if all(one.end <= other.start or one.start >= other.end for other in longest):
            longest.append(one)
    return sorted(longest, key=lambda one: one.start)


@lru_cache(maxsize=8)
def _patterns(words: Vocabulary) -> tuple[tuple[re.Pattern[str], str, Word], ...]:
    """Return (pattern, kind, word), those of the vocabulary's finer words first."""
    finer = [word for word in words.words if word.word != word.within]
    own = [(_pattern(word), word.kind, word) for word in finer]
    frame = [(text, kind, Word(kind=kind, word=word, within=word)) for text, kind, word in _FRAME]
    mammogram = words.find("breast", "body part")
    if mammogram is not None:
        frame.append((r"mammogra(?:ms?|phy|phic)", "mammogram", mammogram))
    return tuple(
        (re.compile(rf"(?<![\w-])(?:{text})(?![\w-])"), kind, word)
        for text, kind, word in (*own, *frame)
        if text
    )


def _pattern(word: Word) -> str:
    """Write a finer word, its names and their plurals as a regular expression."""
    names = [word.word]
    if word.kind not in _BY_WORD_ALONE:
        names += [name for name in word.names if len(name) >= _SHORTEST]
    if word.kind == "view":
        # "axial" alone is a plane.
        bare = [_spelt(name) for name in names if name.lower() not in PLANES]
        return "|".join([*(f"{_spelt(name)} view" for name in names), *bare])
    return "|".join(f"{_spelt(name)}(?:s|es)?" for name in names)


def _spelt(name: str) -> str:
    return r"[\s/_-]+".join(re.escape(part) for part in re.split(r"[\s/_-]+", name.lower()))
