"""How a projection is to hang, told by the directions of its rows and columns.

Films of the body hang as if one faced the patient. Mammograms do not: the chest wall is at the
side, the left breast points to the right and the right one to the left, whatever the view; from
above (CC) the outer half is on top (IHE Mammography Image profile). They are mostly stored so.
"""

from __future__ import annotations

from pydicom import Dataset

from .fields import first_text, texts

#: Header keywords that tell how a projection hangs.
HUNG_BY = (
    "FrameLaterality", "ImageLaterality", "Laterality", "Modality", "PatientOrientation",
)  # fmt: skip

#: For either breast: which directions a frontal film has where a mammogram has these.
_AS_FRONTAL = {
    "L": {"A": "L", "P": "R", "R": "F", "L": "H", "F": "F", "H": "H"},
    "R": {"P": "L", "A": "R", "L": "F", "R": "H", "F": "F", "H": "H"},
}


def hanging_orientation(ds: Dataset) -> tuple[str, ...]:
    """Return the directions of rows and columns by which a projection is turned upright.

    Args:
        ds: Flat (frame-level) header.

    Returns:
        Patient Orientation (PS3.3 C.7.6.1.1.1); of a mammogram the directions that a frontal film
        would have if it lay alike. Empty, for a picture that hangs as it is stored, if the header
        gives none, or a mammogram's breast is not told.
    """
    orientation = tuple(texts(ds, "PatientOrientation"))
    if first_text(ds, "Modality").upper() != "MG":
        return orientation
    sides = (first_text(ds, keyword).upper() for keyword in HUNG_BY[:3])
    frontal = _AS_FRONTAL.get(next(filter(None, sides), ""))
    if frontal is None or len(orientation) != 2:
        return ()
    mains = [text[:1].upper() for text in orientation]
    # Along one of the axes lies the chest wall, or the picture is not one of a breast alone.
    if sum(main in ("A", "P") for main in mains) != 1 or not set(mains) <= set(frontal):
        return ()
    return tuple(frontal[main] for main in mains)
