"""Organs and lesions as closed surfaces, from label maps and volumes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..model.conditions import LABEL

if TYPE_CHECKING:
    import trimesh

#: Endings of the files that a surface can be written to.
SUFFIXES = (".stl", ".obj", ".glb")


@dataclass(frozen=True, kw_only=True)
class MeshRequest:
    """Of what a surface is made; give either a label or a level.

    Attributes:
        volume: NIfTI file, folder of a DICOM series, or DICOM segmentation.
        label: Label to take from a label map: a number, or a name as in masks.
        above: Level in a volume, such as 300 for bone in CT (HU).
        smoothing: Rounds of smoothing.
        smallest_ml: Pieces of less than this many millilitres are left out.
    """

    volume: Path
    label: str = ""
    above: float | None = None
    smoothing: int = 10
    smallest_ml: float = 0.05

    def __post_init__(self) -> None:
        if bool(self.label) == (self.above is not None):
            raise ConfigurationError(
                "Give either --label, for a label map, or --above, for a volume.",
            )

    @property
    def label_number(self) -> int:
        """The label as a number.

        Raises:
            ConfigurationError: If no label has this name.
        """
        if self.label.isdigit():
            return int(self.label)
        if self.label not in LABEL:
            raise ConfigurationError(
                f"There is no label {self.label!r}.", hint=f"Use a number or {', '.join(LABEL)}."
            )
        return LABEL[self.label]


@dataclass(frozen=True, eq=False, kw_only=True)
class Mesh:
    """A surface in millimetres: to the right, to the front, to the head, as in NIfTI.

    Attributes:
        surface: The triangles.
        synthetic: Whether the volume says that it is made up; files of the surface say so, too.
    """

    surface: trimesh.Trimesh
    synthetic: bool

    @property
    def triangles(self) -> int:
        """How many triangles it has."""
        return len(self.surface.faces)

    @property
    def millilitres(self) -> float:
        """What it encloses."""
        return abs(float(self.surface.volume)) / 1000

    @property
    def closed(self) -> bool:
        """Whether it has no hole."""
        return bool(self.surface.is_watertight)

    def write(self, path: Path) -> None:
        """Write the surface as .stl, .obj or .glb.

        Raises:
            ConfigurationError: If the file has another ending.
        """
        from .surfaces.files import write_surface

        if path.suffix.lower() not in SUFFIXES:
            raise ConfigurationError(
                f"{path} has an unknown ending.", hint=f"Use one of {', '.join(SUFFIXES)}."
            )
        write_surface(self.surface, path, synthetic=self.synthetic)

    def preview(self, path: Path) -> None:
        """Draw the surface from front, left and above into a PNG."""
        from .surfaces.preview import save_preview

        save_preview(self.surface, str(path), synthetic=self.synthetic)


def mesh(request: MeshRequest) -> Mesh:
    """Make a closed, smooth surface.

    Raises:
        ConfigurationError: If the package trimesh is missing, or no label has the name.
        DataError: If the volume cannot be read or holds nothing of the kind.

    Example:
        A label map's ball of 10 voxels of 1 mm across holds about half a millilitre.

    >>> import fedscan
    >>> ball = fedscan.mesh(fedscan.MeshRequest(volume=labels, label="lesion"))
    >>> ball.closed, 0.3 < ball.millilitres < 0.6
    (True, True)
    """
    if find_spec("trimesh") is None:
        raise ConfigurationError(
            "Surfaces need the package trimesh.",
            hint="Install it with pip install 'fedscan[mesh]'.",
        )
    from .surfaces.extract import SurfaceSettings, surface_above, surface_of_labels
    from .surfaces.files import read_volume

    settings = SurfaceSettings(smoothing=request.smoothing, smallest_ml=request.smallest_ml)
    if request.above is not None:
        read = read_volume(request.volume, labels=False)
        surface = surface_above(read.values, request.above, read.affine, settings)
    else:
        read = read_volume(request.volume, labels=True)
        label_mask = read.values == request.label_number
        surface = surface_of_labels(label_mask, read.affine, settings)
    return Mesh(surface=surface, synthetic=read.synthetic)
