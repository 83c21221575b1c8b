"""Which images say that no patient was imaged.

A generator that is trained on what generators made forgets what is rare (Shumailov et al., Nature
631, 2024), and such images are nobody's, so that protecting them protects nobody.
"""

from __future__ import annotations

from pydicom import Dataset

from ..writing.elements import MAKER, PHANTOM_SOFTWARE
from .fields import first_text, items, texts

#: Header keywords that this module looks at.
SYNTHETIC_BY = (
    "ContributingEquipmentSequence",
    "Manufacturer",
    "SoftwareVersions",
    "SyntheticData",
)


def is_synthetic(ds: Dataset) -> bool:
    """Whether an image says that it is synthetic, by the standard's mark or by fedscan's.

    Args:
        ds: The file's header: SyntheticData (0008,001C; PS3.3 C.12.1) says it for any software;
            where that was removed, fedscan as the maker or among the contributing equipment.
    """
    equipment = (ds, *items(ds, "ContributingEquipmentSequence"))
    return first_text(ds, "SyntheticData").upper() == "YES" or any(
        first_text(one, "Manufacturer").lower() == MAKER for one in equipment
    )


def is_phantom(ds: Dataset) -> bool:
    """Whether an image is of one of the made-up patients that fedscan is tried out with."""
    return PHANTOM_SOFTWARE in texts(ds, "SoftwareVersions")
