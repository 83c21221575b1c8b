"""The frames of an image file: what each shows, where it lies and when it was taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom import Dataset

from ....model.description import Description
from ....model.words.vocabulary import Vocabulary
from ..describe import DESCRIBED_BY, describe
from ..fields import first_number, first_text, integer
from ..geometry import PLACED_BY, Plane, picture_spacing, pixel_spacing, plane_of
from ..hanging import HUNG_BY, hanging_orientation
from ..quantity import MEASURED_BY, is_hounsfield
from ..quantity import PRIVATE_TAGS as MEASURED_BY_TAGS
from ..set_aside import Reason, SetAsideError
from .functional_groups import flat_headers
from .moment import TOLD_MOMENT_BY, Moment, moment_of
from .mosaic import TOLD_MOSAIC_BY, TOLD_MOSAIC_BY_TAGS, is_mosaic

#: Header keywords that frames are read from.
FRAMES_TOLD_BY = (
    *DESCRIBED_BY, *HUNG_BY, *MEASURED_BY, *PLACED_BY, *TOLD_MOMENT_BY, *TOLD_MOSAIC_BY,
    "Columns", "NumberOfFrames", "PerFrameFunctionalGroupsSequence", "Rows",
    "SharedFunctionalGroupsSequence", "SliceLocation", "WindowCenter", "WindowWidth",
)  # fmt: skip

#: The same, of private elements.
PRIVATE_TAGS = (*MEASURED_BY_TAGS, *TOLD_MOSAIC_BY_TAGS)

#: A header may promise any number of frames of a compressed stream.
_MOST_FRAMES = 65_536

#: Modalities whose pictures are slices. A place in a film's header means nothing: the picture
#: is a projection through the whole patient.
_SLICES = ("CT", "MR")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of an image file.

    Attributes:
        description: What it shows.
        plane: Where it lies; ``None`` for projections and cine frames.
        patient_orientation: Directions of rows and columns of a projection, such as
            ``("L", "F")`` (PS3.3 C.7.6.1.1.1), a breast's told by :mod:`..hanging`; empty if not
            given.
        spacing: Distance between rows and between columns, mm.
        moment: When and how it was taken.
        location: Slice location, mm, if the header has one.
        window: Centre and width of its first VOI window, if any.
    """

    description: Description
    plane: Plane | None
    patient_orientation: tuple[str, ...]
    spacing: tuple[float, float]
    moment: Moment
    location: float | None
    window: tuple[float, float] | None


def read_frames_of(ds: Dataset, words: Vocabulary) -> Iterator[Frame]:
    """Read all frames of a header with the fields of :data:`FRAMES_TOLD_BY`.

    Args:
        ds: The header.
        words: What its fields may select to describe a frame.

    Raises:
        SetAsideError: If one of them cannot be used.
    """
    count = max(1, integer(ds, "NumberOfFrames", 1))
    if count > _MOST_FRAMES:
        raise SetAsideError(Reason.TOO_MANY)
    flat = flat_headers(ds)
    if flat is None:
        # Old multi-frame objects repeat one header; their frames have no place.
        frame = _frame(ds, words, placed=count == 1, enhanced=False)
        for _ in range(count):
            yield frame
        return
    frame_count = 0
    for header in flat:
        frame_count += 1
        yield _frame(header, words, placed=True, enhanced=True)
    if frame_count != count:
        raise SetAsideError(Reason.BROKEN)


def _frame(ds: Dataset, words: Vocabulary, *, placed: bool, enhanced: bool) -> Frame:
    modality = first_text(ds, "Modality").upper()
    plane = plane_of(ds) if placed and modality in _SLICES else None
    description = describe(ds, plane=plane.name if plane else "", vocabulary=words)
    if description is None:
        raise SetAsideError(Reason.MODALITY)
    spacing = plane.spacing if plane else pixel_spacing(ds)
    if modality == "MR" and spacing is not None:
        shape = integer(ds, "Rows"), integer(ds, "Columns")
        if is_mosaic(ds, shape, spacing, enhanced=enhanced):
            raise SetAsideError(Reason.MOSAIC)
    if plane is None and modality in _SLICES:
        raise SetAsideError(Reason.GEOMETRY)
    if modality == "CT" and not is_hounsfield(ds):
        raise SetAsideError(Reason.NOT_HOUNSFIELD)
    centre, width = first_number(ds, "WindowCenter"), first_number(ds, "WindowWidth")
    return Frame(
        description=description,
        plane=plane,
        patient_orientation=hanging_orientation(ds),
        spacing=plane.spacing if plane else picture_spacing(ds),
        moment=moment_of(ds),
        location=first_number(ds, "SliceLocation"),
        window=(centre, width) if centre is not None and width is not None else None,
    )
