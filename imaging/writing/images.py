"""Generated images into a folder, in a format, with a contact sheet and a signed manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from ...common.files import filling
from ...errors import DataError
from ...model.description import Description
from ...model.integrity.finite import require_finite
from ...model.marking import png_text, stack, strip, to_grey
from .dicom import write_dicom_series
from .manifest import NAME, write_manifest
from .nifti import write_nifti
from .provenance import Provenance
from .space import SliceGrid, grid_for

Format = Literal["png", "nifti", "dicom"]
#: Thickness in mm that a single slice is given: it has no neighbours to tell one.
SINGLE_SLICE_MM = 5.0


@dataclass(frozen=True, kw_only=True)
class PromptImages:
    """The images of one prompt.

    Attributes:
        prompt: The user's words.
        caption: What the generator was given.
        description: What the images show; ``None`` where the prompt was not understood.
        images: ``[N, H, W]`` in [-1, 1].
        grid: Where they lie; in the middle of their body part where nothing else is known.
        derivation: What was done to the drawn images; empty if nothing was.
    """

    prompt: str
    caption: str
    description: Description | None
    images: NDArray[np.float32]
    grid: SliceGrid | None = None
    derivation: str = ""


def write_images(
    folder: Path,
    prompts: Sequence[PromptImages],
    form: Format,
    *,
    seed: int,
    generator: str,
    key: Ed25519PrivateKey,
) -> list[Path]:
    """Write all images, a contact sheet and the signed manifest.

    Args:
        folder: Made where it is missing.
        prompts: The images.
        form: ``png`` (8-bit grey), ``nifti`` or ``dicom`` (CT in Hounsfield units).
        seed: Seed of the run.
        generator: Digest of the generator.
        key: Signs the manifest.

    Returns:
        The images' files.

    Raises:
        DataError: If the folder holds generated images, or a prompt was not understood and the
            format has to say what its images show.
        ModelError: If a value is not finite: nothing is written then.
    """
    require_unused(folder)
    for group in prompts:
        require_finite(group.images, f"The images of {group.prompt!r} are not written")
        if form != "png" and group.description is None:
            raise DataError(
                f"A {form} file states its modality, and {group.prompt!r} names none.",
                hint="Name one, such as CT, T1, T2 or X-ray, or write --format png.",
            )
    with filling(folder, last=NAME) as work:
        names = _write_all(work, prompts, form, seed=seed, generator=generator, key=key)
    return [folder / name for name in names]


def _write_all(
    folder: Path,
    prompts: Sequence[PromptImages],
    form: Format,
    *,
    seed: int,
    generator: str,
    key: Ed25519PrivateKey,
) -> list[str]:
    entries: list[tuple[Path, Mapping[str, Any]]] = []
    strips, index = [], 0
    for row, group in enumerate(prompts):
        for column, image in enumerate(group.images):
            provenance = Provenance(
                prompt=group.prompt,
                caption=group.caption,
                seed=seed,
                index=index,
                generator=generator,
                derivation=group.derivation,
            )
            stem = folder / f"{row:02}-{column:03}"
            file = _write_one(stem, image, form, group, provenance, index)
            entries.append((file, provenance.facts()))
            index += 1
        strips.append((group.prompt, strip(group.images, label=f"seed {seed}", synthetic=True)))
    facts = {"Seed": str(seed), "Generator": generator}
    stack(strips).save(folder / SHEET, pnginfo=png_text(facts, synthetic=True))
    files = [file for file, _ in entries]
    entries.append((folder / SHEET, {"synthetic": True, "generator": generator}))
    write_manifest(folder, entries, generator=generator, key=key)
    return [file.name for file in files]


def _write_one(
    stem: Path,
    image: NDArray[np.float32],
    form: Format,
    group: PromptImages,
    provenance: Provenance,
    index: int,
) -> Path:
    description = group.description
    if form == "png" or description is None:
        texts = {
            "Description": provenance.prompt,
            "Caption": provenance.caption,
            "Index": str(provenance.index),
            "Seed": str(provenance.seed),
            "Generator": provenance.generator,
        }
        if provenance.derivation:
            texts["Derivation"] = provenance.derivation
        # The pixels stay untouched, for use as data; the mark is in the file's text.
        to_grey(image).save(stem.with_suffix(".png"), pnginfo=png_text(texts, synthetic=True))
        return stem.with_suffix(".png")
    shape = (1, image.shape[0], image.shape[1])
    grid = group.grid or grid_for(description.body_part, description.plane, shape, SINGLE_SLICE_MM)
    if form == "nifti":
        path = stem.with_suffix(".nii.gz")
        write_nifti(path, image[None], grid, description, provenance)
        return path
    [path] = write_dicom_series(
        stem.parent,
        image[None],
        grid,
        description,
        provenance,
        number=index + 1,
    )
    return path


#: Pictures that lie beside generated files.
SHEET = "contact-sheet.png"
VIEWS = "views.png"
#: Names of what commands write, without numbers: also what an earlier release left unfinished.
_GENERATED = re.compile(
    rf"{NAME}|{SHEET}|{VIEWS}|\d+-\d+\.(png|nii\.gz|dcm)|slice-\d+\.png|volume\.nii\.gz|series"
)


def require_unused(folder: Path) -> None:
    """Refuse a folder that holds generated files already, with a manifest or without.

    Raises:
        DataError: If it does, or is no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file.", hint="Choose another --out, a folder.")
    present = [path.name for path in folder.iterdir()] if folder.exists() else []
    if any(_GENERATED.fullmatch(name) for name in present):
        raise DataError(f"{folder} already holds generated images.", hint="Choose another --out.")
