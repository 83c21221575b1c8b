"""Slices, the stacks that they form, and the frames of a series before they do."""

from __future__ import annotations

from dataclasses import dataclass

from ....model.description import Description
from ..frames.frame import Frame
from ..geometry import Plane
from ..header import FileHeader


@dataclass(frozen=True, slots=True)
class Slice:
    """One frame of one file: ``path`` is relative to the site's folder."""

    path: str
    frame: int
    sop_uid: str
    plane: Plane | None
    compressed: bool


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices of one series that show the same and lie alike: a volume, or a set of projections.

    Attributes:
        description: What all of its slices show.
        shape: Rows and columns.
        spacing: Distance between rows and between columns, mm.
        patient_orientation: Directions of rows and columns of projections; may be empty.
        window: First VOI window, if all slices share it.
        synthetic: Whether any slice says that it is made up.
        slices: Ordered by depth from right, front or feet; without geometry by number. No two
            of a volume lie at one depth.
        reach: Depths between which the series has slices in the volume's direction, mm: those
            of this stack, and of others where it is a part of a longer scan.
    """

    description: Description
    shape: tuple[int, int]
    spacing: tuple[float, float]
    patient_orientation: tuple[str, ...]
    window: tuple[float, float] | None
    synthetic: bool
    slices: tuple[Slice, ...]
    reach: tuple[float, float] = (0.0, 0.0)

    @property
    def is_volume(self) -> bool:
        """Whether the slices have a place in the patient."""
        return self.slices[0].plane is not None


@dataclass(frozen=True, slots=True)
class LooseFrame:
    """One frame of a series that is not in a stack yet.

    Attributes:
        path: Its file, relative to the site's folder.
        header: Its file's header.
        number: Its number in the file.
    """

    path: str
    header: FileHeader
    number: int

    @property
    def frame(self) -> Frame:
        """What the header says of the frame."""
        return self.header.frames[self.number]

    @property
    def order(self) -> tuple[int, str, int, str]:
        """Sorts the frames of a series by their numbers, whatever their files are called."""
        return self.header.instance, self.header.sop_uid, self.number, self.path
