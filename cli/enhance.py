"""``fedscan enhance``: less noise, or finer pixels, with a generator as prior."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .console import output, status
from .options import SigningKeyOption, signing_key_from
from .progress import progress

_EPILOG = """\
Examples:

- `fedscan enhance run low-dose.nii.gz --prompt "axial CT of the abdomen" --noise 40` takes away
noise of 40 HU.

- `fedscan enhance run film.png --prompt "chest X-ray" --out enhanced` finds out how strong the
noise is.

- `fedscan enhance run series --noise 0 --upscale 2` halves the pixels of a DICOM series.
"""


#: Patches and the estimate of the noise need this many pixels along each side.
_SMALLEST = 16
#: Slice distance of what does not say its own.
_SLICE_MM = 5.0


class Form(StrEnum):
    """File formats of what was enhanced."""

    png = "png"
    nifti = "nifti"
    dicom = "dicom"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("enhance", epilog=_EPILOG)(enhance)


def enhance(
    model: Annotated[
        Path, typer.Argument(help="Generator folder, or the folder of a run that holds one.")
    ],
    scan: Annotated[
        Path, typer.Argument(help="PNG, NIfTI file, DICOM file, or folder of a DICOM series.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the result.")] = Path(
        "enhanced"
    ),
    prompt: Annotated[
        str,
        typer.Option("--prompt", "-p", help="What the scan shows; DICOM files say it themselves."),
    ] = "",
    noise: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Standard deviation of the noise in the file's values (CT: HU); estimated if not "
            "given, 0 for none.",
        ),
    ] = None,
    upscale: Annotated[
        int, typer.Option(min=1, max=4, help="Fine pixels along the side of a given one.")
    ] = 1,
    position: Annotated[
        float, typer.Option(min=0, max=1, help="Slice position, as for `fedscan generate`.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the probe that weighs the prior.")] = 0,
    form: Annotated[
        Form | None, typer.Option("--format", help="PNG, NIfTI or DICOM; as given by default.")
    ] = None,
    denoiser: Annotated[
        Path | None,
        typer.Option(help="Folder that `fedscan train-denoiser` wrote; the one that ships if not."),
    ] = None,
    signing_key: SigningKeyOption = None,
) -> None:
    """Denoise a scan, or make its pixels finer; what was measured stays consistent.

    The result is computed, not measured: every file says that it is derived and synthetic, and
    carries nothing of the patient's identity. It lies where the scan lies. Images of any size are
    taken; those larger than the generator's go through it in overlapping windows.
    """
    from dataclasses import replace

    import numpy as np

    from ..applications.restoration.denoise import denoise
    from ..applications.restoration.denoiser import load_denoiser, shipped_denoiser
    from ..applications.restoration.noise_level import estimate_noise
    from ..applications.restoration.prior import Prior
    from ..applications.restoration.super_resolution import super_resolve
    from ..errors import ConfigurationError, DataError
    from ..imaging.reading.scan_files import read_scan
    from ..imaging.writing.images import require_unused
    from ..imaging.writing.provenance import Provenance
    from ..imaging.writing.space import SliceGrid
    from ..imaging.writing.volumes import VolumeFormat, write_volume
    from ..model.intensity import hounsfield_to_model, linear_to_hounsfield
    from ..model.prompt import read_prompt
    from ..model.storage import generator_digest, load_generator
    from .options import find_generator

    require_unused(out)
    key = signing_key_from(signing_key)
    folder = find_generator(model)
    given = read_scan(scan)
    if min(given.values.shape[1:]) < _SMALLEST:
        raise DataError(f"Slices of {given.values.shape[1:]} pixels are too small to enhance.")
    shown = read_prompt(prompt).description if prompt else given.description
    if prompt and shown is None:
        raise ConfigurationError(
            f"{prompt!r} does not say of which modality the scan is.",
            hint='Write, for example, "axial CT of the abdomen".',
        )
    wanted: VolumeFormat = given.form if form is None else form.value
    if wanted == "dicom" and shown is None:
        raise ConfigurationError("A DICOM file states its modality.", hint="Name it in --prompt.")
    hounsfield = shown is not None and shown.modality == "CT" and given.form != "png"
    strength = estimate_noise(given.values) if noise is None else noise
    status().print(Text(f"Noise {strength:.4g}{' (estimated)' if noise is None else ''}"))
    caption = shown.caption() if shown else ""
    prior = Prior(load_generator(folder), caption, position)
    network = load_denoiser(denoiser or shipped_denoiser())
    images, done = given.to_model(hounsfield), []
    if strength > 0:
        with progress() as report:
            # In proportion: the generator's map would make noise uneven, and clip it in air.
            found = denoise(
                replace(prior, linear=hounsfield),
                network,
                given.to_linear(hounsfield),
                given.noise_to_linear(strength, hounsfield),
                seed=seed,
                on_image=lambda count: report("passes", count, 2 * len(images)),
            )
        images = found.images
        if hounsfield:
            images = hounsfield_to_model(linear_to_hounsfield(images))
        done.append(f"denoised from a standard deviation of {strength:.4g}")
        status().print(Text(f"Share of the generator's estimate: {found.prior_weight:.0%}"))
    grid = None if given.to_lps is None else SliceGrid(to_lps=given.to_lps)
    if upscale > 1:
        images = super_resolve(prior, network, images, upscale)
        grid = grid and grid.refined(upscale)
        done.append(f"pixels made {upscale} times finer")
    if not done:
        raise ConfigurationError("Nothing to do.", hint="Give --noise or --upscale.")
    written = write_volume(
        out,
        np.asarray(images, np.float32),
        wanted,
        shown,
        Provenance(
            prompt=prompt,
            caption=caption,
            seed=seed,
            index=0,
            generator=generator_digest(folder),
            derivation=" and ".join(done),
        ),
        slice_mm=_SLICE_MM,
        grid=grid,
        limits=given.limits,
        key=key,
    )
    output().print(Text(f"{len(images)} slices, {' and '.join(done)}, in {written}"))
