"""Less noise, or finer pixels, with a generator as prior."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..common.progress import Progress, no_progress
from ..errors import ConfigurationError, DataError
from ..imaging.reading.scan_files import read_scan
from ..imaging.writing.provenance import Provenance
from ..imaging.writing.space import SliceGrid
from ..model.intensity import hounsfield_to_model, linear_to_hounsfield
from .generator import LoadedGenerator
from .inputs import require_heard, unheard
from .limits import require_within
from .prompts import read
from .restoration.denoise import denoise
from .restoration.denoiser import load_denoiser, shipped_denoiser
from .restoration.noise_level import estimate_noise
from .restoration.prior import Prior
from .restoration.super_resolution import super_resolve
from .results import ComputedVolume, Form, usual_grid

#: Patches and the estimate of the noise need this many pixels along each side.
_SMALLEST = 16
#: A given noise this many times the estimated one is not the estimate's error any more.
_FAR_MORE = 2.0
#: Slice distance of what does not say its own.
_SLICE_MM = 5.0


@dataclass(frozen=True, kw_only=True)
class EnhanceRequest:
    """What shall be done to a scan.

    Attributes:
        scan: PNG, NIfTI file, DICOM file, or folder of a DICOM series.
        prompt: What the scan shows; DICOM files say it themselves.
        noise: Standard deviation of the noise in the file's values (CT: HU); estimated if not
            given, 0 for none.
        upscale: Fine pixels along the side of a given one, 1 to 4.
        position: Slice position in [0, 1].
        seed: Seed of the probe that weighs the prior.
        form: Format that the result is written in; as given by default.
        denoiser: Folder of the denoising network; the one that ships by default.
    """

    scan: Path
    prompt: str = ""
    noise: float | None = None
    upscale: int = 1
    position: float = 0.5
    seed: int = 0
    form: Form | None = None
    denoiser: Path | None = None

    def __post_init__(self) -> None:
        if self.noise is not None:
            require_within("noise", self.noise, 0)
        require_within("upscale", self.upscale, 1, 4)
        require_within("position", self.position, 0, 1)
        require_within("seed", self.seed, 0)


@dataclass(frozen=True, eq=False, kw_only=True)
class EnhancedScan(ComputedVolume):
    """A scan with less noise, or finer pixels.

    Attributes:
        noise: Standard deviation that was taken off, in the file's values.
        prior_weight: Share of the generator's estimate; ``None`` if nothing was denoised.
        steps: What was done, in words.
        warning: What the given noise does to this scan, if it has far less; else empty.
    """

    noise: float
    prior_weight: float | None
    steps: tuple[str, ...]
    warning: str = ""


def enhance(
    generator: LoadedGenerator, request: EnhanceRequest, *, progress: Progress = no_progress
) -> EnhancedScan:
    """Denoise a scan, or make its pixels finer; what was measured stays consistent.

    Args:
        generator: The prior.
        request: What is to be done.
        progress: Told how many passes are done.

    Raises:
        DataError: If the scan cannot be read or is too small.
        ConfigurationError: If there is nothing to do, or the modality is not known but has to be.
        ModelError: If a position is given that the generator does not hear.

    >>> import fedscan
    >>> asked = fedscan.EnhanceRequest(scan=picture, prompt="chest X-ray", noise=20)
    >>> better = fedscan.enhance(fedscan.load_generator(run), asked)
    >>> better.values.shape, better.steps
    ((1, 32, 32), ('denoised from a standard deviation of 20',))
    """
    require_heard(unheard(generator, position=request.position))
    scan = read_scan(request.scan)
    if min(scan.values.shape[1:]) < _SMALLEST:
        raise DataError(f"Slices of {scan.values.shape[1:]} pixels are too small to enhance.")
    prompt_description = read(generator, request.prompt).description if request.prompt else None
    description = prompt_description if request.prompt else scan.description
    if request.prompt and description is None:
        raise ConfigurationError(
            f"{request.prompt!r} does not say of which modality the scan is.",
            hint='Write, for example, "axial CT of the abdomen".',
        )
    form = request.form or scan.form
    if form == "dicom" and description is None:
        raise ConfigurationError("A DICOM file states its modality.", hint="Name it in --prompt.")
    hounsfield = description is not None and description.modality == "CT" and scan.form != "png"
    estimated_noise = estimate_noise(scan.values)
    noise = estimated_noise if request.noise is None else request.noise
    if noise <= 0 and request.upscale == 1:
        raise ConfigurationError("Nothing to do.", hint="Give --noise or --upscale.")
    caption = description.caption() if description else ""
    prior = Prior(generator.network, caption, request.position)
    network = load_denoiser(request.denoiser or shipped_denoiser())
    images, prior_weight, steps = scan.to_model(hounsfield), None, []
    if noise > 0:
        # In proportion: the generator's map would make noise uneven, and clip it in air.
        estimate = denoise(
            replace(prior, linear=hounsfield),
            network,
            scan.to_linear(hounsfield),
            scan.noise_to_linear(noise, hounsfield),
            seed=request.seed,
            on_progress=progress,
        )
        images, prior_weight = estimate.images, estimate.prior_weight
        if hounsfield:
            images = hounsfield_to_model(linear_to_hounsfield(images))
        steps.append(f"denoised from a standard deviation of {noise:.4g}")
    source = None if scan.to_lps is None else SliceGrid(to_lps=scan.to_lps)
    if request.upscale > 1:
        images = super_resolve(prior, network, images, request.upscale)
        source = source and source.refined(request.upscale)
        steps.append(f"pixels made {request.upscale} times finer")
    shape = (images.shape[0], images.shape[1], images.shape[2])
    grid: SliceGrid = source or usual_grid(description, shape, _SLICE_MM)
    return EnhancedScan(
        values=np.asarray(images, np.float32),
        description=description,
        grid=grid,
        limits=scan.limits,
        provenance=Provenance(
            prompt=request.prompt,
            caption=caption,
            seed=request.seed,
            index=0,
            generator=generator.digest,
            derivation=" and ".join(steps),
        ),
        form=form,
        noise=noise,
        prior_weight=prior_weight,
        steps=tuple(steps),
        warning=_too_much(noise, estimated_noise),
    )


def _too_much(noise: float, estimated_noise: float) -> str:
    """Say that noise is taken off which a scan does not have: fine detail goes in its place."""
    if noise <= _FAR_MORE * estimated_noise:
        return ""
    return (
        f"Warning: noise of {noise:.4g} is taken off, and the scan seems to have about "
        f"{estimated_noise:.4g}. Fine detail is smoothed away as if it were noise; leave the noise "
        "out to have it estimated."
    )
