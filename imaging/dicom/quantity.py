"""What the values of a CT or MR image measure: Hounsfield units, a weighted signal, or else.

Scanners send maps (of perfusion, of materials, of relaxation and diffusion, of phase) under the
same SOP classes and modalities as anatomical images. Read as such they teach a generator wrong
values: a blood flow of 60 is no brain of 60 HU, and a T1 map is no T1-weighted image.
"""

from __future__ import annotations

import re

from pydicom import Dataset

from .fields import code_values, first_number, first_text, integer, items, texts, tokens

#: Header keywords that tell what values measure.
MEASURED_BY = (
    "BitsAllocated", "BitsStored", "ComplexImageComponent", "FrameType", "ImageType",
    "ModalityLUTSequence", "PixelRepresentation", "RealWorldValueMappingSequence",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "SOPClassUID", "SeriesDescription",
)  # fmt: skip
#: GE says in a private element alone that an image is a phase: 0 is a magnitude.
_GE_CREATOR, _GE_IMAGE_KIND = 0x00430010, 0x0043102F
PRIVATE_TAGS = (_GE_CREATOR, _GE_IMAGE_KIND)

_PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
_HOUNSFIELD = frozenset(("", "HU", "HOUNSFIELD", "HOUNSFIELD UNIT", "HOUNSFIELD UNITS"))
#: Values that every scale in Hounsfield units expresses: well below fat, and bone.
_AT_MOST_HU, _AT_LEAST_HU = -300.0, 300.0
#: One step of a stored CT value; scanners use 1, few up to 4.
_LARGEST_STEP_HU = 64.0

#: Quantities in image types and series descriptions, of perfusion and of materials.
_MAP_WORDS = frozenset(
    (
        "map", "maps", "mapping", "mapit", "gbp", "cbf", "rcbf", "relcbf", "cbv", "rcbv", "relcbv",
        "corrcbv", "mtt", "rmtt", "ttp", "rttp", "tmax", "ttd", "ktrans", "kep", "quantity",
        "quantitative", "effatomicnum", "electrondensity", "zeff", "matspecific",
        "matfractional", "matvaluebased", "matmodified", "stddeviation", "subtraction",
        "multiplication", "division",
    )
)  # fmt: skip
#: "T1 map", "T2starMap", "fieldmap", "B0 mapping", "fat fraction", "Water(Iodine)", …
_MAP_PHRASE = re.compile(
    r"\b[a-z0-9*+]*map(s|ping)?\b|\b(fat|water|proton|signal|t2) ?fraction\b|\bfractional "
    r"?anisotropy\b|\bstd(andard)? ?dev(iation)?\b"
)
_CT_MAP_PHRASE = re.compile(
    r"\bgsi md\b|\bmaterial (density|basis|decomposition)|\b(water|iodine|calcium|fat|blood"
    r"|uric acid|hap|gadolinium|iron) ?\((water|iodine|calcium|fat|blood|uric acid|hap|iron"
    r"|gadolinium)\)|\biodine (map|density|overlay|no water|concentration)|\b(eff(ective)?|mean) "
    r"?(z|atomic)\b|\belectron ?density\b|\bmat (specific|fractional|value|modified)|\bpbv\b"
    r"|\brho\b|\bstopping power\b|\bpermeability\b"
)
_MR_MAP_WORDS = frozenset(
    (
        "adc", "eadc", "dadc", "fa", "ff", "phase", "p", "real", "r", "imaginary", "i",
        "velocity", "vel", "fieldmap", "b0", "t1rho", "tensor", "r1", "r2s", "r2star", "tmip",
    )
)  # fmt: skip
_MR_MAP_PHRASE = re.compile(
    r"\b(e?adc\w*|\w*fa ?map|apparent diffusion|phase ?(map|image|difference|contrast angle)"
    r"|field ?map|pha|unwrapped|b0 ?map|b1 ?map|velocity|wrapped phase"
    r"|r2\*|quantitative|qsm|susceptibility map|subtraction|subtracted|elastogram|stiffness)\b"
)
#: Units of times, rates, angles, speeds, diffusion, flow and shares; a signal has none.
_UNIT = re.compile(
    r"m?s|/s|1/s|s-1|k?hz|ppm|m?rad(ian)?s?|milliradials?|deg(rees?)?|%|percent"
    r"|.*(mm|um|cm)\^?2[ ./]*s.*|[cm]?m/s|ml.*|k?pa"
)


def is_hounsfield(ds: Dataset) -> bool:
    """Whether a CT image's values are Hounsfield units, by its flat (frame-level) header.

    They are if a rescale (PS3.3 C.11.1) leads to them, its unit is not another one, it can
    express air as well as bone, and nothing in image type or description names a map.
    """
    if _is_named_map(ds) or _CT_MAP_PHRASE.search(_said(ds)):
        return False
    tables = list(items(ds, "ModalityLUTSequence"))
    if tables:
        return first_text(tables[0], "ModalityLUTType").upper() in _HOUNSFIELD
    if first_text(ds, "RescaleType").upper() not in _HOUNSFIELD:
        return False
    slope, intercept = first_number(ds, "RescaleSlope"), first_number(ds, "RescaleIntercept")
    if slope is None or intercept is None or not 0 < slope <= _LARGEST_STEP_HU:
        return False
    lowest, highest = _stored_range(ds)
    return lowest * slope + intercept <= _AT_MOST_HU and highest * slope + intercept >= _AT_LEAST_HU


def is_weighted(ds: Dataset) -> bool:
    """Whether an MR image can be a weighted magnitude, and is not a phase or a map.

    Args:
        ds: Flat (frame-level) header.
    """
    if _is_named_map(ds) or _MR_MAP_PHRASE.search(_said(ds)):
        return False
    if first_text(ds, "ComplexImageComponent").upper() not in ("", "MAGNITUDE", "MIXED"):
        return False
    if _kinds(ds) & _MR_MAP_WORDS or _UNIT.fullmatch(_unit(ds)):
        return False
    if set(tokens(ds, "SeriesDescription")) & {"adc", "eadc", "dadc", "phasemap", "fieldmap"}:
        return False
    return not _is_ge_phase(ds)


def _stored_range(ds: Dataset) -> tuple[int, int]:
    """Smallest and largest value that the stored bits can hold."""
    container_bits = integer(ds, "BitsAllocated", 16)
    bits = integer(ds, "BitsStored", container_bits)
    bits = bits if 0 < bits <= container_bits else container_bits
    if integer(ds, "PixelRepresentation"):
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1


def _is_named_map(ds: Dataset) -> bool:
    if first_text(ds, "SOPClassUID") == _PARAMETRIC_MAP:
        return True
    kinds = _kinds(ds)
    if kinds & _MAP_WORDS or ("perfusion" in kinds and "derived" in _origin(ds)):
        return True
    words = set(tokens(ds, "SeriesDescription"))
    return bool(words & _MAP_WORDS or _MAP_PHRASE.search(_said(ds)))


def _types(ds: Dataset) -> list[str]:
    """Values of the frame's type, else of the image's (PS3.3 C.7.6.1.1.2, C.8.16.1)."""
    return [text.lower() for text in texts(ds, "FrameType") or texts(ds, "ImageType")]


def _origin(ds: Dataset) -> list[str]:
    return _types(ds)[:2]


def _kinds(ds: Dataset) -> set[str]:
    """Values of the image type beyond origin and examination, whole, joined and as words."""
    words: set[str] = set()
    for text in _types(ds)[2:]:
        words |= {text, re.sub(r"[^a-z0-9]+", "", text), *re.findall(r"[a-z0-9]+", text)}
    return words


def _said(ds: Dataset) -> str:
    """Image type and series description as lower-case text, underscores as blanks."""
    text = " ; ".join([*_types(ds)[2:], *(t.lower() for t in texts(ds, "SeriesDescription"))])
    return text.replace("_", " ")


def _unit(ds: Dataset) -> str:
    """Unit that values are mapped to, in lower case; empty if none is given."""
    for mapping in items(ds, "RealWorldValueMappingSequence"):
        for unit in code_values(mapping, "MeasurementUnitsCodeSequence"):
            return unit.lower()
    return first_text(ds, "RescaleType").lower()


def _is_ge_phase(ds: Dataset) -> bool:
    """Whether GE's private element says phase, real or imaginary part."""
    try:
        if not str(ds[_GE_CREATOR].value).startswith("GEMS_PARM"):
            return False
        return ds[_GE_IMAGE_KIND].value in (1, 2, 3)
    except (KeyError, ValueError, TypeError, AttributeError):
        return False
