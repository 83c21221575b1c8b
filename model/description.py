"""What an image shows, in the words of a vocabulary, and the caption composed from it.

Captions come only from these words. Whatever a DICOM header holds beyond them (names,
dates, free text) has no way into a caption, a log or a message, because nothing is
copied: a field can only select a word of the vocabulary.

The frame of the description is fixed: regions, kinds of finding and the like, which sizes and
statistics are counted in. A study's vocabulary (:mod:`~fedscan.model.words.vocabulary`) adds finer
words within it, which a caption then names instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .planes import PLANES

MODALITIES = ("CT", "T1-weighted MR", "T2-weighted MR", "MR", "X-ray", "ultrasound")
BODY_PARTS = ("head", "neck", "chest", "abdomen", "pelvis", "spine", "limb", "body")
VIEWS = ("PA", "AP", "lateral")
#: The view of a film of which no more is known, and the projections that it may be.
FRONTAL, FRONTAL_VIEWS = "frontal", ("PA", "AP")
#: "no finding" is itself a statement; an unknown finding is the empty string.
FINDINGS = ("no finding", "lesion", "pneumonia", "COVID-19", "other finding")
SEXES = ("female", "male")
AGE_BANDS = ("child", "young adult", "middle-aged", "elderly")
CONTRASTS = ("with contrast", "without contrast")


#: What a finer word looks like: no comma, which stands between words in a caption.
_FINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 /+.\-]{0,39}")


@dataclass(frozen=True, kw_only=True)
class Description:
    """What an image shows. An empty string means unknown, and says nothing in the caption.

    Attributes:
        modality: One of :data:`MODALITIES`.
        body_part: Region of the body, one of :data:`BODY_PARTS`.
        part: A part within the region, such as ``"knee"``.
        laterality: Its side, such as ``"left"``.
        plane: One of :data:`PLANES`, for slices of a volume.
        view: A view such as those of :data:`VIEWS`, for projections.
        sequence: MR sequence, such as ``"FLAIR"``.
        kernel: CT reconstruction kernel, such as ``"sharp kernel"``.
        finding: Kind of the weightiest finding, one of :data:`FINDINGS`.
        findings: All findings where they are known more finely, the weightiest first.
        contrast: One of :data:`CONTRASTS`.
        sex: One of :data:`SEXES`.
        age_band: One of :data:`AGE_BANDS`.

    Raises:
        ValueError: If a word is none of its list, or cannot be a word of a caption.
    """

    modality: str
    body_part: str = "body"
    part: str = ""
    laterality: str = ""
    plane: str = ""
    view: str = ""
    sequence: str = ""
    kernel: str = ""
    finding: str = ""
    findings: tuple[str, ...] = ()
    contrast: str = ""
    sex: str = ""
    age_band: str = ""

    def __post_init__(self) -> None:
        for field, words in _FRAME.items():
            value = getattr(self, field)
            if value not in words and not (value == "" and field not in ("modality", "body_part")):
                raise ValueError(f"{field}={value!r} is not one of {words}")
        finer = (self.part, self.laterality, self.view, self.sequence, self.kernel)
        for word in (*filter(None, finer), *self.findings):
            if not _FINER.fullmatch(word):
                raise ValueError(f"{word!r} cannot be a word of a caption")
        if self.findings and self.finding in ("", "no finding"):
            raise ValueError(f"finding={self.finding!r} is not the kind of {self.findings}")

    @property
    def place(self) -> str:
        """The body part as finely as it is known."""
        return self.part or self.body_part

    @property
    def known_findings(self) -> tuple[str, ...]:
        """The findings as finely as they are known; empty if nothing is known."""
        return self.findings or ((self.finding,) if self.finding else ())

    def caption(self) -> str:
        """Compose the caption, most telling words first: a text encoder cuts what is too long.

        For example ``"axial CT slice of the head, lesion, female, elderly"``, ``"chest X-ray, PA
        view, cardiomegaly, pleural effusion"`` or ``"sagittal FLAIR MR slice of the head"``.
        """
        side = f"{self.laterality} " if self.laterality in ("left", "right") else ""
        modality = f"{self.sequence} {self.modality}" if self.sequence else self.modality
        if self.modality == "X-ray":
            parts = [f"{side}{self.place} X-ray"]
            if self.view:
                parts.append(f"{self.view} view")
        elif self.plane:
            parts = [f"{self.plane} {modality} slice of the {side}{self.place}"]
        else:
            parts = [f"{modality} image of the {side}{self.place}"]
        if self.laterality and not side:
            parts.append(self.laterality)
        last = (self.contrast, self.kernel, self.sex, self.age_band)
        return ", ".join([*parts, *self.known_findings, *(word for word in last if word)])

    def with_lesion(self, shown: bool) -> Description:
        """Say what one slice shows where lesions are marked: a patient's lesion is in few slices.

        Args:
            shown: Whether a lesion is marked in the slice.
        """
        if not shown:
            return replace(self, finding="no finding", findings=())
        if self.finding in ("", "no finding"):
            return replace(self, finding="lesion", findings=())
        return self


_FRAME = {
    "modality": MODALITIES,
    "body_part": BODY_PARTS,
    "plane": PLANES,
    "finding": FINDINGS,
    "contrast": CONTRASTS,
    "sex": SEXES,
    "age_band": AGE_BANDS,
}


def age_band(years: float) -> str:
    """Name the age band of an age in years."""
    if years < 18:
        return "child"
    if years < 40:
        return "young adult"
    return "middle-aged" if years < 65 else "elderly"
