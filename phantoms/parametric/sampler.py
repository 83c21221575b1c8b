"""Training examples from random parametric patients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...model.conditions import LABEL
from ...model.description import Description, age_band
from ...model.example import Example
from .contrast import CONTRASTS, TissueValues, draw_values, finish
from .patient import BODY_PARTS, draw_patient
from .planes import slice_points
from .projection import draw_projection
from .scene import Scene

_PLANES = ("axial", "coronal", "sagittal")


def sample_examples(
    rng: np.random.Generator,
    *,
    image_size: int,
    per_volume: int,
    body_part: str | None = None,
) -> list[Example]:
    """Draw one random parametric patient and several images of it.

    Args:
        rng: Source of all randomness; the same state gives the same examples.
        image_size: Height and width in pixels.
        per_volume: How many images of this patient.
        body_part: "head", "chest" or "abdomen"; drawn at random if ``None``.

    Returns:
        ``per_volume`` examples with masks: slices in random planes, positions and contrasts,
        and for chests also X-ray projections.

    Raises:
        ConfigurationError: If ``body_part`` is none of these.
    """
    if body_part is None:
        body_part = str(rng.choice(BODY_PARTS, p=(0.4, 0.45, 0.15)))
    scene = draw_patient(rng, body_part)
    known = {
        "sex": scene.sex if rng.random() < 0.8 else "",
        "age_band": age_band(scene.years) if rng.random() < 0.8 else "",
    }
    series: dict[str, TissueValues] = {}
    examples = []
    for _ in range(per_volume):
        if body_part == "chest" and rng.random() < 0.6:
            examples.append(draw_projection(rng, scene, image_size, known))
            continue
        mr_share = 0.67 if body_part == "head" else 0.35
        modality = "CT" if rng.random() > mr_share else str(rng.choice(CONTRASTS[1:]))
        if modality not in series:
            series[modality] = draw_values(rng, modality, body_part)
        examples.append(_slice(rng, scene, series[modality], image_size, known))
    return examples


def _slice(
    rng: np.random.Generator,
    scene: Scene,
    values: TissueValues,
    image_size: int,
    known: dict[str, str],
) -> Example:
    plane = str(rng.choice(_PLANES, p=(0.5, 0.25, 0.25)))
    position = float(rng.uniform(0.04, 0.97))
    points = slice_points(rng, scene, plane, position, image_size)
    canvas = scene.paint(points, values.table)
    mean, texture = canvas.values
    image = mean + texture * (0.7 * scene.grain(points) + 0.7 * scene.mottle(points))
    finding = slice_finding(scene, canvas.labels)
    contrast = ""
    if values.modality == "CT" and rng.random() < 0.6:
        contrast = "with contrast" if values.enhanced else "without contrast"
    return Example(
        image=finish(rng, scene, values, image),
        description=Description(
            modality=values.modality,
            body_part=scene.body_part,
            plane=plane,
            finding=finding if rng.random() < 0.93 else "",
            contrast=contrast,
            **known,
        ),
        position=position,
        mask=canvas.labels,
    )


def slice_finding(scene: Scene, labels: NDArray[np.uint8]) -> str:
    """Name the finding that one slice shows."""
    seen = bool((labels == LABEL["lesion"]).any())
    if scene.diffuse:
        seen = seen or bool((labels == LABEL["heart"]).mean() > 0.02)
    return scene.finding if seen else "no finding"
