"""What an image shows, in a closed vocabulary, and the caption composed from it.

Captions come only from these words. Whatever a DICOM header holds beyond them (names,
dates, free text) has no way into a caption, a log or a message, because nothing is
copied: a field can only select a word of the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

from .planes import PLANES

MODALITIES = ("CT", "T1-weighted MR", "T2-weighted MR", "MR", "X-ray", "ultrasound")
BODY_PARTS = ("head", "neck", "chest", "abdomen", "pelvis", "spine", "limb", "body")
VIEWS = ("PA", "AP", "lateral")
#: "no finding" is itself a statement; an unknown finding is the empty string.
FINDINGS = ("no finding", "lesion", "pneumonia", "COVID-19", "other finding")
SEXES = ("female", "male")
AGE_BANDS = ("child", "young adult", "middle-aged", "elderly")
CONTRASTS = ("with contrast", "without contrast")


@dataclass(frozen=True, kw_only=True)
class Description:
    """What an image shows. An empty string means unknown, and says nothing in the caption.

    Attributes:
        modality: One of :data:`MODALITIES`.
        body_part: One of :data:`BODY_PARTS`.
        plane: One of :data:`PLANES`, for slices of a volume.
        view: One of :data:`VIEWS`, for projections.
        finding: One of :data:`FINDINGS`.
        contrast: One of :data:`CONTRASTS`.
        sex: One of :data:`SEXES`.
        age_band: One of :data:`AGE_BANDS`.
    """

    modality: str
    body_part: str = "body"
    plane: str = ""
    view: str = ""
    finding: str = ""
    contrast: str = ""
    sex: str = ""
    age_band: str = ""

    def __post_init__(self) -> None:
        for field, words in _VOCABULARY.items():
            value = getattr(self, field)
            if value not in words and not (value == "" and field not in ("modality", "body_part")):
                raise ValueError(f"{field}={value!r} is not one of {words}")

    def caption(self) -> str:
        """Compose the caption, most telling words first.

        For example ``"axial CT slice of the head, lesion, female, elderly"`` or
        ``"chest X-ray, PA view, pneumonia"``.
        """
        if self.modality == "X-ray":
            parts = [f"{self.body_part} X-ray"]
            if self.view:
                parts.append(f"{self.view} view")
        elif self.plane:
            parts = [f"{self.plane} {self.modality} slice of the {self.body_part}"]
        else:
            parts = [f"{self.modality} image of the {self.body_part}"]
        parts += [word for word in (self.finding, self.contrast, self.sex, self.age_band) if word]
        return ", ".join(parts)


_VOCABULARY = {
    "modality": MODALITIES,
    "body_part": BODY_PARTS,
    "plane": PLANES,
    "view": VIEWS,
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
