"""Training examples from random parametric patients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.conditions import LABEL
from ...model.description import Description, age_band
from ...model.example import Example
from ...model.planes import PLANES
from .contrast import ANY_MR, CONTRASTS, TissueValues, draw_values, finish
from .film import expose
from .patient import BODY_PARTS, draw_patient
from .planes import slice_points
from .projection import VIEWS, draw_geometry, path_integrals, projected_labels
from .scene import Scene

#: Tries for a slice that shows a small finding: few of a patient's slices would by chance.
_TRIES = 4
#: Share of the slices of a patient with a small finding that are taken through it.
_THROUGH_FINDING = 0.5
#: Where slices are taken, by body part and plane: the region's ends show little.
_RANGE = {
    "head": {"axial": (0.05, 0.96), "coronal": (0.08, 0.92), "sagittal": (0.12, 0.88)},
    "chest": {"axial": (0.05, 0.93), "coronal": (0.18, 0.85), "sagittal": (0.14, 0.86)},
    "abdomen": {
        "axial": (0.02, 0.98),
        "coronal": (0.18, 0.86),
        "sagittal": (0.14, 0.86),
    },
}


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
    facts: dict[str, Any] = {
        "sex": scene.sex if rng.random() < 0.8 else "",
        "age_band": age_band(scene.years) if rng.random() < 0.8 else "",
    }
    series: dict[str, TissueValues] = {}
    examples = []
    for _ in range(per_volume):
        if body_part == "chest" and rng.random() < 0.6:
            examples.append(_film(rng, scene, image_size, facts))
            continue
        mr_share = 0.67 if body_part == "head" else 0.35
        modality = "CT" if rng.random() > mr_share else str(rng.choice(CONTRASTS[1:]))
        if modality not in series:
            series[modality] = draw_values(rng, modality, body_part)
        examples.append(_slice(rng, scene, series[modality], image_size, facts))
    return examples


def sample_paired_slices(
    rng: np.random.Generator, body_part: str, *, image_size: int, count: int
) -> list[Example]:
    """Draw one random parametric patient and axial slices of it in every contrast.

    Args:
        rng: Source of all randomness; the same state gives the same examples.
        body_part: "head", "chest" or "abdomen".
        image_size: Height and width in pixels.
        count: How many slices.

    Returns:
        ``count`` slices, each in CT, T1, T2 and two arbitrary contrasts of MR, at one place and
        with one field of view.

    Raises:
        ConfigurationError: If ``body_part`` is none of these.
    """
    scene = draw_patient(rng, body_part)
    modalities = (*CONTRASTS, ANY_MR, ANY_MR)
    series = [draw_values(rng, modality, body_part) for modality in modalities]
    table = {
        name: np.concatenate([each.table[name] for each in series]) for name in series[0].table
    }
    examples = []
    low, high = _RANGE[body_part]["axial"]
    for number in range(count):
        # Apart, so that no two could be taken for one place.
        position = low + (high - low) * (number + float(rng.uniform(0.1, 0.9))) / count
        points = slice_points(rng, scene, "axial", position, image_size)
        canvas = scene.paint(points, table)
        texture = 0.7 * scene.grain(points) + 0.7 * scene.mottle(points)
        finding = _stated(rng, scene, canvas.labels)
        examples += [
            Example(
                image=finish(
                    rng, values, canvas.values[2 * i] + canvas.values[2 * i + 1] * texture
                ),
                description=Description(
                    modality=values.modality, body_part=body_part, plane="axial", finding=finding
                ),
                position=position,
                mask=canvas.labels,
            )
            for i, values in enumerate(series)
        ]
    return examples


def _slice(
    rng: np.random.Generator,
    scene: Scene,
    values: TissueValues,
    image_size: int,
    facts: dict[str, Any],
) -> Example:
    plane = str(rng.choice(PLANES, p=(0.5, 0.25, 0.25)))
    aim = scene.finding == "lesion" and rng.random() < _THROUGH_FINDING
    for _ in range(_TRIES if aim else 1):
        position = float(rng.uniform(*_RANGE[scene.body_part][plane]))
        points = slice_points(rng, scene, plane, position, image_size)
        canvas = scene.paint(points, values.table)
        if (canvas.labels == LABEL["lesion"]).any():
            break
    mean, texture = canvas.values
    image = mean + texture * (0.7 * scene.grain(points) + 0.7 * scene.mottle(points))
    contrast = ""
    if values.modality == "CT" and rng.random() < 0.6:
        contrast = "with contrast" if values.enhanced else "without contrast"
    description = Description(
        modality=values.modality,
        body_part=scene.body_part,
        plane=plane,
        finding=_stated(rng, scene, canvas.labels),
        contrast=contrast,
        **facts,
    )
    return Example(
        image=finish(rng, values, image),
        description=description,
        position=position,
        mask=canvas.labels,
    )


def _film(
    rng: np.random.Generator, scene: Scene, image_size: int, facts: dict[str, Any]
) -> Example:
    view = str(rng.choice(VIEWS, p=(0.55, 0.37, 0.08)))
    geometry = draw_geometry(rng, scene, view, image_size)
    path, canvas = path_integrals(rng, scene, geometry)
    mask = projected_labels(canvas, geometry.step)
    description = Description(
        modality="X-ray",
        body_part=scene.body_part,
        view=view if rng.random() < 0.85 else "",
        finding=_stated(rng, scene, mask),
        **facts,
    )
    return Example(image=expose(rng, path), description=description, position=0.5, mask=mask)


def _stated(rng: np.random.Generator, scene: Scene, mask: NDArray[np.uint8]) -> str:
    """Name the finding that this image shows, or sometimes leave it unknown."""
    visible = bool((mask == LABEL["lesion"]).any())
    if scene.enlarged_heart:
        visible = bool((mask == LABEL["heart"]).mean() > 0.02)
    if rng.random() < 0.07:
        return ""
    return scene.finding if visible else "no finding"
