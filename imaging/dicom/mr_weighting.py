"""T1 or T2: the weighting of an MR image from its acquisition parameters.

The thresholds are the textbook ones (for example McRobbie et al., *MRI from Picture to
Proton*, ch. 3): short TE with short TR or an inversion pulse weights by T1, long TE with
long TR by T2. Anything in between, diffusion, FLAIR and T2* stay "MR": a wrong weighting
would teach the generator a wrong word.
"""

from __future__ import annotations

import re

from pydicom import Dataset

from .fields import first_number, first_text, tokens
from .quantity import is_weighted

T1, T2, OTHER = "T1-weighted MR", "T2-weighted MR", "MR"


def weighting(ds: Dataset) -> str:
    """Name the MR weighting of a flat (frame-level) header.

    A phase, an ADC or a T1 map is plain MR, whatever it was computed from. Else acquisition
    parameters decide; only where they are absent may the words "T1" or "T2" of a description
    select the term.
    """
    if not is_weighted(ds):
        return OTHER
    contrast = first_text(ds, "AcquisitionContrast").upper()
    if contrast in ("T1", "T2"):
        return T1 if contrast == "T1" else T2
    if contrast and contrast not in ("UNKNOWN", "MIXED"):
        return OTHER
    return _from_timing(ds) or _from_words(ds)


def _from_timing(ds: Dataset) -> str:
    """Decide by echo, repetition and inversion times in ms; empty if they are not given."""
    echo = first_number(ds, "EchoTime", "EffectiveEchoTime")
    repetition = first_number(ds, "RepetitionTime")
    if echo is None or repetition is None or repetition <= 0:
        return ""
    inversion = first_number(ds, "InversionTime") or 0.0
    sequence = set(tokens(ds, "ScanningSequence")) | set(tokens(ds, "EchoPulseSequence"))
    if "ep" in sequence or first_number(ds, "DiffusionBValue"):
        return OTHER
    if {"gr", "gradient"} & sequence:
        flip = first_number(ds, "FlipAngle")
        is_spoiled = repetition <= 800 and (flip is None or flip >= 12)
        return T1 if echo <= 12 and (is_spoiled or inversion >= 400) else OTHER
    if inversion > 1400 or 0 < inversion < 300:  # FLAIR and STIR null a tissue
        return OTHER
    if echo <= 30 and (repetition <= 1000 or inversion >= 300):
        return T1
    return T2 if echo >= 60 and repetition >= 1500 else OTHER


def _from_words(ds: Dataset) -> str:
    words = set(tokens(ds, "SeriesDescription", "ProtocolName"))
    if words & {"flair", "stir", "dwi", "adc", "swi", "diffusion"}:
        return OTHER
    t1 = any(re.fullmatch(r"t1w?|mprage|t1weighted", word) for word in words)
    t2 = any(re.fullmatch(r"t2w?|t2weighted", word) for word in words)
    return OTHER if t1 == t2 else T1 if t1 else T2
