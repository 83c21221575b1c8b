"""Spatial conditions from files: a mask, edges, or a partly known image; pictures or volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import ConfigurationError, DataError
from ...model.conditions import EDGES, LABEL, MASK_PRESENT, PARTIAL, spatial_conditions
from ...model.description import Description
from ...model.intensity import hounsfield_to_model, percentile_to_model
from .pictures import open_picture
from .scan_files import read_nifti, read_scan, read_segments
from .slicing import PlacedVolume, pixel_centres, slice_affine

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True, kw_only=True)
class SliceAsked:
    """The slice that volumes are cut at.

    Attributes:
        description: What the prompt asks for; ``None`` if it was not understood.
        position: In [0, 1].
    """

    description: Description | None
    position: float


@dataclass(frozen=True, kw_only=True)
class Strengths:
    """How much each condition counts: 1 as in training, 0 not at all."""

    mask: float = 1.0
    edges: float = 1.0
    partial: float = 1.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Conditions:
    """Conditions of one slice.

    Attributes:
        stack: ``[SPATIAL_CHANNELS, size, size]``.
        to_lps: Where the slice lies in the given volumes, ``[4, 4]`` from (slice, row, column);
            ``None`` if all conditions are pictures.
    """

    stack: NDArray[np.float32]
    to_lps: NDArray[np.float64] | None


def load_conditions(
    size: int,
    *,
    mask: Path | None = None,
    edges: Path | None = None,
    partial: Path | None = None,
    wanted_slice: SliceAsked | None = None,
    strengths: Strengths | None = None,
) -> Conditions | None:
    """Read the given files, each brought to the generator's image size.

    Pictures are taken as they are. Volumes are cut at the slice asked for: all of them at the
    same place in the patient, by their affines.

    Args:
        size: Height and width in pixels.
        mask: Grey or palette picture, NIfTI file or DICOM segmentation of label numbers.
        edges: Grey picture (white is an edge), or NIfTI file (the largest value is).
        partial: Picture whose opaque pixels are kept, or volume (NIfTI, DICOM series) whose
            voxels are kept; transparent pixels, NaN and what lies outside are free.
        wanted_slice: The slice that volumes are cut at.
        strengths: How much each condition counts.

    Returns:
        The conditions, or ``None`` without any file.

    Raises:
        DataError: If a file cannot be read, a label is unknown, or nothing is free.
        ConfigurationError: If volumes are given and the prompt names no plane.
    """
    paths = {"mask": mask, "edges": edges, "partial": partial}
    files = {name: path for name, path in paths.items() if path is not None}
    if not files:
        return None
    volumes = {
        name: _read_volume(name, path, wanted_slice)
        for name, path in files.items()
        if path.suffix.lower() not in _PICTURES
    }
    cut, to_lps = _cut(volumes, wanted_slice, size)
    known_image, known_pixels = cut.pop("partial", None), None
    if known_image is not None:
        known_pixels = np.isfinite(known_image)
        _require_free(known_pixels, files["partial"])
        known_image = np.nan_to_num(known_image)
    elif partial is not None:
        known_image, known_pixels = _read_partial(partial, size)
    labels, lines = cut.get("mask"), cut.get("edges")
    stack = spatial_conditions(
        (size, size),
        mask=labels.astype(np.uint8)
        if labels is not None
        else (_read_mask(mask, size) if mask else None),
        edges=lines if lines is not None else (_read_edges(edges, size) if edges else None),
        partial=known_image,
        known_pixels=known_pixels,
    )
    much = strengths or Strengths()
    stack[: MASK_PRESENT + 1] *= much.mask
    stack[EDGES:PARTIAL] *= much.edges
    stack[PARTIAL:] *= much.partial
    return Conditions(stack=stack, to_lps=to_lps)


def _cut(
    volumes: dict[str, PlacedVolume], wish: SliceAsked | None, size: int
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float64] | None]:
    """Cut all volumes at one slice."""
    if not volumes:
        return {}, None
    if wish is None or wish.description is None or not wish.description.plane:
        raise ConfigurationError(
            "Volumes are cut at the plane that the prompt names, and it names none.",
            hint='Write, for example, "axial CT of the head".',
        )
    affine = slice_affine(
        list(volumes.values()),
        plane=wish.description.plane,
        position=wish.position,
        body_part=wish.description.body_part,
        size=size,
    )
    points = pixel_centres(affine, size)
    outside = {"mask": 0.0, "edges": 0.0, "partial": np.nan}
    return {
        name: volume.on(points, order=0 if name == "mask" else 1, outside=outside[name])
        for name, volume in volumes.items()
    }, affine


def _read_volume(name: str, path: Path, wanted_slice: SliceAsked | None) -> PlacedVolume:
    """Read a volume: labels, edge strength in [0, 1], or an image in [-1, 1] with NaN."""
    if not path.exists():
        raise DataError(f"There is no file or folder {path}.")
    is_nifti = path.name.lower().endswith((".nii", ".nii.gz"))
    if name == "partial":
        if is_nifti:
            values, to_lps = read_nifti(path)
        else:
            scan = read_scan(path, gaps="keep")
            if scan.to_lps is None:
                raise DataError(f"{path} does not say where it lies in the patient.")
            values, to_lps = scan.values, scan.to_lps
        description = None if wanted_slice is None else wanted_slice.description
        free = ~np.isfinite(values)
        if description is not None and description.modality == "CT":
            model_values = hounsfield_to_model(np.nan_to_num(values))
        else:
            model_values = np.full(values.shape, np.nan, np.float32)
            model_values[~free] = percentile_to_model(values[~free])
        return PlacedVolume(values=np.where(free, np.nan, model_values), to_lps=to_lps)
    if is_nifti:
        values, to_lps = read_nifti(path)
        values = np.nan_to_num(values)
        if name == "edges":
            values = np.clip(values / max(float(values.max()), 1e-6), 0, 1)
        else:
            _require_labels(values, path)
        return PlacedVolume(values=values, to_lps=to_lps)
    if name == "edges":
        raise DataError(f"{path}: edges are a picture or a NIfTI file.")
    labels, to_lps = read_segments(path)
    return PlacedVolume(values=labels, to_lps=to_lps)


def _require_labels(values: NDArray[np.generic], path: Path) -> None:
    strange = sorted(set(np.unique(values).tolist()) - set(range(len(LABEL) + 1)))
    if strange:
        raise DataError(
            f"The mask {path} has the label {strange[0]:g}, which does not exist.",
            hint="Labels are " + _legend(),
        )


def _require_free(known_pixels: NDArray[np.bool_], path: Path) -> None:
    if known_pixels.all():
        raise DataError(
            f"{path} is known everywhere on this slice, so nothing is left to generate.",
            hint="Make the part that shall be generated transparent (a volume: NaN).",
        )


def read_given(slices: Sequence[str], size: int) -> dict[float, NDArray[np.float32]]:
    """Read known slices of a volume, each as ``PNG@POSITION``.

    Returns:
        Pictures ``[size, size]`` in [-1, 1] by position.

    Raises:
        DataError: If a file is no picture, or a position is not in [0, 1].
    """
    images = {}
    for text in slices:
        name, _, where = text.rpartition("@")
        try:
            position = float(where)
        except ValueError:
            position = -1.0
        if not name or not 0.0 <= position <= 1.0:
            raise DataError(
                f"{text!r} does not say where the slice lies.",
                hint="Write FILE@POSITION, such as slice.png@0.4; 0 is the lower end, 1 the upper.",
            )
        picture = (
            open_picture(Path(name)).convert("L").resize((size, size), Image.Resampling.BILINEAR)
        )
        images[position] = np.asarray(picture, np.float32) / np.float32(127.5) - np.float32(1)
    return images


def _read_mask(path: Path, size: int) -> NDArray[np.uint8]:
    picture = open_picture(path)
    if picture.mode not in ("L", "P", "1"):
        raise DataError(
            f"The mask {path} has mode {picture.mode}; its pixels must be label numbers.",
            hint="Save it as 8-bit grey or palette PNG: " + _legend(),
        )
    labels = np.asarray(picture.resize((size, size), Image.Resampling.NEAREST), np.uint8)
    _require_labels(labels, path)
    return labels


def _legend() -> str:
    return ", ".join(["0 background", *(f"{value} {name}" for name, value in LABEL.items())]) + "."


def _read_edges(path: Path, size: int) -> NDArray[np.float32]:
    picture = open_picture(path).convert("L").resize((size, size), Image.Resampling.BILINEAR)
    edges: NDArray[np.float32] = np.asarray(picture, np.float32) / np.float32(255)
    return edges


def _read_partial(path: Path, size: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    picture = open_picture(path).convert("LA").resize((size, size), Image.Resampling.BILINEAR)
    grey, alpha = (np.asarray(band) for band in picture.split())
    is_known = alpha >= 128
    _require_free(is_known, path)
    return grey.astype(np.float32) / np.float32(127.5) - np.float32(1), is_known
