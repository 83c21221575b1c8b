"""A whole volume whose slices agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..common.progress import Progress, no_progress
from ..errors import ConfigurationError
from ..imaging.writing.provenance import Provenance
from ..model.description import Description
from ..model.prompt import read_prompt
from ..model.region import extent_mm
from ..model.volumes.draw import VolumeSettings, sample_volume
from ..model.words.tables import shipped_words
from ..model.words.vocabulary import Vocabulary
from .generator import LoadedGenerator
from .inputs import require_heard, unheard
from .limits import require_within
from .prompts import notes, require_drawable
from .results import ComputedVolume, Form, usual_grid


@dataclass(frozen=True, eq=False, kw_only=True)
class VolumeRequest:
    """A volume asked for.

    Attributes:
        prompt: What to show: modality, plane, body part, …
        slices: Number of slices; as many as the region holds if not given.
        spacing_mm: Distance of neighbouring slices.
        given_slices: Known slices ``[H, W]`` in [-1, 1] of the patient, of the generator's size, by
            position in [0, 1].
        correlation: How far detail reaches along the slices, as a share of the region.
        guidance: Classifier-free guidance scale; 1 is none.
        steps: Noise levels; each is a step in three planes.
        seed: The same seed gives the same volume.
        form: Format that the volume is written in.
        anyway: Whether to draw also what was never learnt.

    Raises:
        ConfigurationError: If the prompt names no modality or plane, a number is out of range,
            or the slices reach beyond the region.
    """

    prompt: str
    slices: int | None = None
    spacing_mm: float = 3.0
    given_slices: Mapping[float, NDArray[np.float32]] = field(default_factory=dict)
    correlation: float = 0.06
    guidance: float = 1.5
    steps: int = 8
    seed: int = 0
    form: Form = "nifti"
    anyway: bool = False

    def __post_init__(self) -> None:
        if self.slices is not None:
            require_within("slices", self.slices, 2)
        require_within("spacing_mm", self.spacing_mm, 0.1)
        require_within("correlation", self.correlation, 0.01, 10)
        require_within("guidance", self.guidance, 0)
        require_within("steps", self.steps, 1)
        require_within("seed", self.seed, 0)
        self.positions()

    def description(self, words: Vocabulary | None = None) -> Description:
        """Return what the slices show, with their plane.

        Args:
            words: The generator's; those that ship with fedscan by default.
        """
        description = read_prompt(self.prompt, words or shipped_words()).description
        if description is None or not description.plane:
            raise ConfigurationError(
                f"{self.prompt!r} does not say of which modality and plane the slices are.",
                hint='Write, for example, "axial CT of the head".',
            )
        return description

    def positions(self, words: Vocabulary | None = None) -> list[float]:
        """Return the position in [0, 1] of each slice; see :meth:`description`."""
        description, spacing = self.description(words), self.spacing_mm
        region = extent_mm(description.body_part, description.plane)
        count = self.slices or max(2, int(region // spacing))
        if count * spacing > region:
            raise ConfigurationError(
                f"{count} slices at {spacing:g} mm cover {count * spacing:g} mm, but the "
                f"{description.body_part} counts as {region:g} mm ({description.plane}).",
                hint=f"Ask for {int(region // spacing)} slices at most, or less spacing.",
            )
        return [0.5 + (index - (count - 1) / 2) * spacing / region for index in range(count)]

    def unheard(self, generator: LoadedGenerator) -> list[str]:
        """Return what a generator has no input for, a sentence each."""
        return unheard(generator, position=None)

    def notes(self, generator: LoadedGenerator) -> list[str]:
        """Return how a generator reads the prompt, and what of it cannot be honoured."""
        lines = [f"Not honoured: {line}" for line in self.unheard(generator)]
        return lines + notes(generator, [self.prompt], anyway=self.anyway)


def volume(
    generator: LoadedGenerator, request: VolumeRequest, *, progress: Progress = no_progress
) -> ComputedVolume:
    """Draw a volume.

    Args:
        generator: What draws it.
        request: What is asked for.
        progress: Told how many steps are done.

    Raises:
        ConfigurationError: If the prompt is empty.
        ModelError: If the generator never learnt what is asked for, or hears no slice position.

    >>> import fedscan
    >>> asked = fedscan.VolumeRequest(prompt="axial CT of the head", slices=3, steps=1)
    >>> drawn = fedscan.volume(fedscan.load_generator(run), asked)
    >>> drawn.values.shape, drawn.affine[:3, 0].tolist()
    ((3, 32, 32), [0.0, 0.0, 3.0])
    """
    if not request.anyway:
        require_drawable(generator, [request.prompt])
        require_heard(request.unheard(generator))
    description = request.description(generator.words)
    values = sample_volume(
        generator.network,
        description,
        request.positions(generator.words),
        VolumeSettings(
            correlation=request.correlation,
            guidance_scale=request.guidance,
            steps=request.steps,
            seed=request.seed,
        ),
        given_slices=request.given_slices,
        on_progress=progress,
    )
    shape = (values.shape[0], values.shape[1], values.shape[2])
    return ComputedVolume(
        values=values,
        description=description,
        grid=usual_grid(description, shape, request.spacing_mm),
        provenance=Provenance(
            prompt=request.prompt,
            caption=description.caption(),
            seed=request.seed,
            index=0,
            generator=generator.digest,
        ),
        form=request.form,
    )
