"""Free prompts: what of a sentence the generator can honour, and what it cannot.

The text encoder has only ever seen captions in the closed vocabulary of
:mod:`~fedscan.model.description`. A sentence in other words would move the images at random, so
it is read first: what it asks for becomes a caption, and every word that could not be honoured
is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from .description import Description, age_band
from .negation import Said, how_said

#: Phrases by what they mean, as regular expressions on lower-case text; the longest come first.
_PHRASES: tuple[tuple[str, dict[str, str]], ...] = (
    (r"t1(?:[- ]?w(?:eighted)?)?(?: mri?| mr imaging)?", {"modality": "T1-weighted MR"}),
    (r"t2(?:[- ]?w(?:eighted)?)?(?: mri?| mr imaging)?", {"modality": "T2-weighted MR"}),
    (r"computed tomography|ct|cat scan", {"modality": "CT"}),
    (r"magnetic resonance|mri?", {"modality": "MR"}),
    (r"x[- ]?rays?|radiographs?|cxr", {"modality": "X-ray"}),
    (r"ultrasound|sonogram", {"modality": "ultrasound"}),
    (r"axial|transverse|transaxial", {"plane": "axial"}),
    (r"coronal", {"plane": "coronal"}),
    (r"sagittal", {"plane": "sagittal"}),
    (r"postero-?anterior|pa(?: view)?", {"view": "PA"}),
    (r"antero-?posterior|ap(?: view)?", {"view": "AP"}),
    (r"lateral(?: view)?", {"view": "lateral"}),
    (r"head|brains?|skull|cranial", {"body_part": "head"}),
    (r"neck|cervical", {"body_part": "neck"}),
    (r"chest|thorax|thoracic|lungs?|heart|pulmonary", {"body_part": "chest"}),
    (r"abdomen|abdominal|liver|kidneys?|spleen", {"body_part": "abdomen"}),
    (r"pelvis|pelvic|hips?", {"body_part": "pelvis"}),
    (r"spine|spinal|vertebrae?|lumbar", {"body_part": "spine"}),
    (r"limbs?|arms?|legs?|hands?|f(?:oo|ee)t|knees?", {"body_part": "limb"}),
    (r"no findings?|normal|healthy|unremarkable", {"finding": "no finding"}),
    (r"other findings?", {"finding": "other finding"}),
    (r"lesions?|tumou?rs?|mass(?:es)?", {"finding": "lesion"}),
    (r"pneumonia", {"finding": "pneumonia"}),
    (r"covid(?:-19)?", {"finding": "COVID-19"}),
    (
        r"(?:without|no) (?:i\.?v\.? )?contrast(?: agent)?|non-?contrast|unenhanced",
        {"contrast": "without contrast"},
    ),
    (r"with contrast|contrast[- ]enhanced|enhanced", {"contrast": "with contrast"}),
    (r"female|wom[ae]n|girls?", {"sex": "female"}),
    (r"male|m[ae]n|boys?", {"sex": "male"}),
    (
        r"child(?:ren)?|p(?:a)?ediatric|infants?|newborns?|neonates?|bab(?:y|ies)|toddlers?",
        {"age_band": "child"},
    ),
    (r"young(?: adults?)?", {"age_band": "young adult"}),
    (r"middle[- ]aged", {"age_band": "middle-aged"}),
    (r"elderly|old", {"age_band": "elderly"}),
)
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
#: What it means that something is not there. Other denials have no image of their own.
_OPPOSITE = {
    "lesion": "no finding",
    "pneumonia": "no finding",
    "COVID-19": "no finding",
    "other finding": "no finding",
    "with contrast": "without contrast",
}
#: Words of a denial or a doubt: they have been read with what they stand by.
_LITTLE_WORDS = re.compile(
    r"(?<![\w-])(?:no|not|without|negative for|free of|free from|absence of|evidence of|signs? of"
    r"|exclud(?:es?|ed|ing)|ruled? out|rul(?:es|ing) out|absent|negative|suspicion of"
    r"|suspect(?:ed)?|possibl[ey]|probabl[ey]|query|history of|r/o|neither|nor|or|any|but|is|are"
    r"|was|were|has|have|been)(?![\w-])|\?"
)
_PATTERNS = tuple(
    (re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])"), meaning) for pattern, meaning in _PHRASES
)


@dataclass(frozen=True, kw_only=True)
class PromptReading:
    """What a prompt asks for.

    Attributes:
        description: What the image shall show; ``None`` if no modality is named, so that no
            caption can be composed.
        size: ``(width, height)`` in pixels, if the prompt names one.
        hounsfield: Whether Hounsfield units are asked for.
        contradictions: Pairs of which only the first is honoured, such as two planes.
        unsure: What the prompt denies or doubts, so that nothing of it can be drawn.
        unknown: Words that mean nothing to the generator.
    """

    description: Description | None
    size: tuple[int, int] | None = None
    hounsfield: bool = False
    contradictions: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def shortcomings(self, image_size: int) -> list[str]:
        """Return what a generator of a size cannot honour, a sentence each.

        Args:
            image_size: Height and width of the generator's images.
        """
        lines = [f"{pair}; only the first is honoured." for pair in self.contradictions]
        if self.size is not None and self.size != (image_size, image_size):
            width, height = self.size
            lines.append(f"{width}×{height}: this generator makes {image_size}×{image_size}.")
        shown = self.description
        if self.hounsfield and shown is not None and shown.modality != "CT":
            lines.append(f"Hounsfield units: {shown.modality} has none.")
        if self.unsure:
            lines.append(f"Denied or only suspected, so not asked for: {', '.join(self.unsure)}.")
        if self.unknown:
            lines.append(f"No meaning to the generator: {', '.join(self.unknown)}.")
        return lines


def read_prompt(prompt: str) -> PromptReading:
    """Read a prompt; captions are read back to exactly what they were composed from.

    Args:
        prompt: Free text.
    """
    text = re.sub(r"['’]s\b", "", prompt.lower())
    size, text = _take(_SIZE, text)
    unit, text = _take(_UNIT, text)
    age, text = _take(_AGE, text)
    found: dict[str, str] = {"age_band": _band(age)} if age else {}
    contradictions: list[str] = []
    unsure: list[str] = []
    whole = text
    for start, words, meaning in _occurrences(text):
        [(field, word)] = meaning.items()
        text = text[:start] + " " * len(words) + text[start + len(words) :]
        far = field in ("finding", "contrast")
        said = how_said(whole, start, start + len(words), far=far)
        if said is not Said.THERE:
            denied = _OPPOSITE.get(word) if said is Said.DENIED else None
            if denied is None:
                unsure.append(words)
                continue
            if field == "finding" and field in found:
                continue  # what is there says more than what is not
            word = denied
        held = found.setdefault(field, word)
        if field == "finding" and held == "no finding" and said is Said.THERE:
            held = found[field] = word
        if field == "modality" and (held.endswith(word) or word.endswith(held)):
            # A weighting says more than the bare "MR" that may stand beside it.
            found[field] = max(held, word, key=len)
        elif held != word:
            contradictions.append(f"{held} and {word}")
    if unsure or whole != text:
        text = _LITTLE_WORDS.sub(" ", text)
    rest = [word for word in re.findall(r"[^\s,.;:()]+", text) if word not in _FILLER]
    description = _description(found)
    if description is not None:
        lost = [name for name in found if getattr(description, name) != found[name]]
        contradictions += [f"{description.modality} and {found[name]}" for name in lost]
    return PromptReading(
        description=description,
        size=(int(size[1]), int(size[2])) if size else None,
        hounsfield=unit is not None,
        contradictions=tuple(contradictions),
        unsure=tuple(dict.fromkeys(unsure)),
        unknown=tuple(dict.fromkeys(rest)),
    )


def _band(age: re.Match[str]) -> str:
    """Name the age band of a number of years, months, weeks or days."""
    return age_band(float(age[1])) if age[2].startswith("y") else "child"


def _take(pattern: re.Pattern[str], text: str) -> tuple[re.Match[str] | None, str]:
    match = pattern.search(text)
    return match, pattern.sub(" ", text, count=1)


def _occurrences(text: str) -> list[tuple[int, str, dict[str, str]]]:
    """Return phrases in the order of the text; of overlapping ones the longest."""
    spans = sorted(
        (
            (match.start(), match.group(), meaning)
            for pattern, meaning in _PATTERNS
            for match in pattern.finditer(text)
        ),
        key=lambda one: (-len(one[1]), one[0]),
    )
    kept: list[tuple[int, str, dict[str, str]]] = []
    for start, words, meaning in spans:
        end = start + len(words)
        if all(end <= other or start >= other + len(w) for other, w, _ in kept):
            kept.append((start, words, meaning))
    return sorted(kept, key=lambda one: one[0])


def _description(found: dict[str, str]) -> Description | None:
    """Return the description, without what the modality cannot have."""
    if "modality" not in found:
        return None
    known = {field.name for field in fields(Description)}
    shown: dict[str, Any] = {name: word for name, word in found.items() if name in known}
    description = Description(**shown)
    if description.modality == "X-ray":
        return replace(description, plane="")
    return replace(description, view="")
