"""Images for prompts and conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..common.progress import Progress, no_progress
from ..common.signing import fingerprint
from ..errors import ConfigurationError
from ..evaluation.anatomy.plausibility import PlausibilityModel
from ..evaluation.anatomy.rejection import draw_plausible, seed_of_try
from ..imaging.reading.conditions import Conditions, SliceAsked, Strengths, load_conditions
from ..imaging.writing.images import SINGLE_SLICE_MM, PromptImages, write_images
from ..imaging.writing.space import SliceGrid
from ..model.prompt import PromptReading
from ..model.sampling import DEFAULT_GUIDANCE, DEFAULT_STEPS, sample
from .generator import LoadedGenerator
from .inputs import require_heard, unheard
from .limits import require_within
from .prompts import caption_of, notes, read, require_drawable
from .results import Form, WrittenFolder, in_hounsfield, index_affine, usual_grid
from .signing import own_signing_key
from .sizes import SizePlan, made_finer, plan_size, size_notes


@dataclass(frozen=True, eq=False, kw_only=True)
class GenerateRequest:
    """Images asked for.

    Attributes:
        prompts: What to show, in one's own words.
        count: Images of each prompt.
        size: Side of the images in pixels; the generator's own by default. A base of 128 draws
            64 to 256 with the same weights; what is larger is drawn smaller and given finer pixels.
        seed: The same seed gives the same images.
        position: Slice position in [0, 1]: 0 inferior, right or posterior; 1 opposite.
        mask: File of label numbers that the anatomy shall follow: PNG, NIfTI or DICOM.
        edges: File of white edges that the image shall follow: PNG or NIfTI.
        partial: Image to complete: PNG, NIfTI or DICOM series.
        strengths: How much each of these files counts.
        spatial: Conditions from arrays instead of files, as
            :func:`~fedscan.model.conditions.spatial_conditions` stacks them: ``[C, H, W]`` for
            all images, or ``[N, C, H, W]`` with one for each, of the size that is drawn.
        guidance: Classifier-free guidance scale; 1 is none.
        steps: Denoising steps.
        batch: Images computed at once.
        form: Format that the images are written in.
        reject_implausible: Folder of an examination: what its plausibility model rejects is
            drawn again.
        anyway: Whether to draw also what cannot be read, or was never learnt.

    Raises:
        ConfigurationError: If a number is out of range, or there is no prompt.
    """

    prompts: Sequence[str]
    count: int = 4
    size: int | None = None
    seed: int = 0
    position: float = 0.5
    mask: Path | None = None
    edges: Path | None = None
    partial: Path | None = None
    strengths: Strengths = field(default_factory=Strengths)
    spatial: NDArray[np.float32] | None = None
    guidance: float = DEFAULT_GUIDANCE
    steps: int = DEFAULT_STEPS
    batch: int = 32
    form: Form = "png"
    reject_implausible: Path | None = None
    anyway: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.prompts, str) or not self.prompts:
            raise ConfigurationError(
                f"prompts is {self.prompts!r}.", hint="It must be a list of at least one text."
            )
        if self.spatial is not None and (self.mask or self.edges or self.partial):
            raise ConfigurationError(
                "Conditions are given as files and as an array.", hint="Give either of them."
            )
        require_within("position", self.position, 0, 1)
        require_within("guidance", self.guidance, 0)
        require_within("seed", self.seed, 0)
        for name in ("count", "steps", "batch"):
            require_within(name, getattr(self, name), 1)

    def captions(self, generator: LoadedGenerator) -> list[str]:
        """Return what a generator is given for each prompt."""
        return [caption_of(generator, prompt) for prompt in self.prompts]

    def unheard(self, generator: LoadedGenerator) -> list[str]:
        """Return the conditions given that a generator has no input for, a sentence each."""
        files = {"mask": self.mask, "edges": self.edges, "partial": self.partial}
        spatial = [name for name, file in files.items() if file is not None]
        if self.spatial is not None:
            spatial.append("spatial")
        return unheard(generator, position=self.position, spatial=spatial)

    def notes(self, generator: LoadedGenerator) -> list[str]:
        """Return how a generator reads the prompts, and what of them it cannot honour."""
        plan = plan_size(generator, self.size)
        lines = [f"Not honoured: {line}" for line in self.unheard(generator)]
        lines += notes(generator, self.prompts, anyway=self.anyway, side=plan.side)
        return lines + size_notes(generator, plan)


@dataclass(frozen=True, kw_only=True, eq=False)
class ImagesOfPrompt(PromptImages):
    """The images of one prompt; ``images`` are ``[N, H, W]`` in [-1, 1]."""

    @property
    def hounsfield(self) -> NDArray[np.float32] | None:
        """The images in Hounsfield units, ``[N, H, W]``; ``None`` for what is no CT."""
        return in_hounsfield(self.images, self.description)

    @property
    def affine(self) -> NDArray[np.float64]:
        """Affine ``[4, 4]`` of each image, from indices (0, row, column) to RAS+ mm."""
        shape = (1, self.images.shape[1], self.images.shape[2])
        return index_affine(self.grid or usual_grid(self.description, shape, SINGLE_SLICE_MM))


@dataclass(frozen=True, eq=False, kw_only=True)
class GeneratedImages:
    """Images that were generated.

    Attributes:
        groups: The images of each prompt.
        seed: Seed of the run.
        generator: Digest of the generator.
        form: Format that they are written in.
        rejections: Implausible images that were drawn again; ``None`` if none were judged.
    """

    groups: tuple[ImagesOfPrompt, ...]
    seed: int
    generator: str
    form: Form
    rejections: int | None

    @property
    def images(self) -> NDArray[np.float32]:
        """The images of all prompts in their order, ``[N, H, W]`` in [-1, 1]."""
        return np.concatenate([group.images for group in self.groups])

    def write(self, out: Path, *, signing_key: Path | None = None) -> WrittenFolder:
        """Write the images, a contact sheet and the signed manifest, as the command does.

        Args:
            out: Folder that holds nothing generated; made where it is missing.
            signing_key: Ed25519 key that signs; the user's own if none is given.

        Raises:
            DataError: If the folder holds generated images, or a prompt was not understood and
                the format has to say what its images show.
        """
        key = own_signing_key(signing_key)
        files = write_images(
            out, self.groups, self.form, seed=self.seed, generator=self.generator, key=key
        )
        return WrittenFolder(folder=out, files=tuple(files), signer=fingerprint(key.public_key()))


def generate(
    generator: LoadedGenerator, request: GenerateRequest, *, progress: Progress = no_progress
) -> GeneratedImages:
    """Draw images.

    Args:
        generator: What draws them.
        request: What is asked for.
        progress: Told how many images are done.

    Raises:
        DataError: If a file of a condition cannot be used.
        ConfigurationError: If a prompt is empty, or names no plane where volumes are given as
            conditions; or if the generator cannot make images of the size.
        ModelError: If a prompt asks for what was never learnt, or cannot be read; if the generator
            has no input for a condition; or if images stay implausible in every try.

    >>> import fedscan
    >>> asked = fedscan.GenerateRequest(prompts=["axial CT of the head"], count=2, steps=1)
    >>> drawn = fedscan.generate(fedscan.load_generator(run), asked)
    >>> drawn.images.shape, drawn.groups[0].hounsfield.min() >= -1000
    ((2, 32, 32), np.True_)
    """
    if not request.anyway:
        require_drawable(generator, request.prompts)
        require_heard(request.unheard(generator))
    readings = [read(generator, prompt) for prompt in request.prompts]
    captions = request.captions(generator)
    plan = plan_size(generator, request.size)
    conditions = _conditions(request, readings, plan.drawn_side)
    stacks = _stacks(request, conditions)
    total = request.count * len(captions)
    caption_per_image = [caption for caption in captions for _ in range(request.count)]

    def draw(indices: Sequence[int], attempt: int) -> NDArray[np.float32]:
        return sample(
            generator.network,
            [caption_per_image[index] for index in indices],
            positions=[request.position] * len(indices),
            spatial=None if stacks is None else np.stack([stacks[index] for index in indices]),
            size=plan.drawn_side,
            guidance_scale=request.guidance,
            steps=request.steps,
            seed=seed_of_try(request.seed, attempt),
            batch_size=request.batch,
            on_progress=progress,
        )

    rejections = None
    if request.reject_implausible is None:
        images = draw(range(total), 0)
    else:
        plausible = draw_plausible(
            draw,
            PlausibilityModel.load(request.reject_implausible),
            [reading.description for reading in readings for _ in range(request.count)],
            [request.position] * total,
        )
        images, rejections = plausible.images, plausible.rejections
    return GeneratedImages(
        groups=tuple(
            ImagesOfPrompt(
                prompt=prompt,
                caption=caption,
                description=reading.description,
                images=made_finer(
                    generator,
                    images[row * request.count : (row + 1) * request.count],
                    plan,
                    caption=caption,
                    position=request.position,
                ),
                grid=_grid(slice_conditions, plan),
                derivation=plan.derivation,
            )
            for row, (prompt, caption, reading, slice_conditions) in enumerate(
                zip(request.prompts, captions, readings, conditions, strict=True)
            )
        ),
        seed=request.seed,
        generator=generator.digest,
        form=request.form,
        rejections=rejections,
    )


def _conditions(
    request: GenerateRequest, readings: Sequence[PromptReading], size: int
) -> list[Conditions | None]:
    return [
        load_conditions(
            size,
            mask=request.mask,
            edges=request.edges,
            partial=request.partial,
            wanted_slice=SliceAsked(description=reading.description, position=request.position),
            strengths=request.strengths,
        )
        for reading in readings
    ]


def _grid(conditions: Conditions | None, plan: SizePlan) -> SliceGrid | None:
    """Where the finished pixels lie, if conditions from volumes say so."""
    if conditions is None or conditions.to_lps is None:
        return None
    return SliceGrid(to_lps=conditions.to_lps).refined(plan.finer)


def _stacks(
    request: GenerateRequest, conditions: Sequence[Conditions | None]
) -> Sequence[NDArray[np.float32]] | None:
    """Return the conditions of every image, or nothing without any."""
    total = request.count * len(request.prompts)
    if request.spatial is None:
        stacks = [one.stack for one in conditions if one for _ in range(request.count)]
        return stacks or None
    if request.spatial.ndim == 3:
        return [request.spatial] * total
    if len(request.spatial) != total:
        raise ConfigurationError(
            f"There are conditions for {len(request.spatial)} images, and {total} are asked for.",
            hint="Give one for each image, or one for all: [C, H, W].",
        )
    return list(request.spatial)
