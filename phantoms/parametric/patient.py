"""Who the random patient is, and which body is built for it."""

from __future__ import annotations

import numpy as np

from ...errors import ConfigurationError
from .abdomen import abdomen_scene
from .chest import chest_scene
from .head import head_scene
from .scene import Scene

BODY_PARTS = ("head", "chest", "abdomen")


def draw_patient(rng: np.random.Generator, body_part: str, finding: str | None = None) -> Scene:
    """Draw a patient.

    Args:
        rng: Source of randomness.
        body_part: One of :data:`BODY_PARTS`.
        finding: The finding to build in; drawn at random if ``None``.

    Raises:
        ConfigurationError: If the body part is unknown.
    """
    sex = str(rng.choice(("female", "male")))
    years = float(np.clip(rng.normal(50, 20), 4 if body_part == "head" else 14, 95))
    if body_part == "head":
        chosen = finding or str(rng.choice(("no finding", "lesion"), p=(0.4, 0.6)))
        return head_scene(rng, chosen, sex, years)
    if body_part == "chest":
        names = ("no finding", "pneumonia", "COVID-19", "other finding")
        chosen = finding or str(rng.choice(names, p=(0.4, 0.25, 0.2, 0.15)))
        return chest_scene(rng, chosen, sex, years)
    if body_part == "abdomen":
        chosen = finding or str(rng.choice(("no finding", "lesion"), p=(0.5, 0.5)))
        return abdomen_scene(rng, chosen, sex, years)
    raise ConfigurationError(
        f"There are no parametric phantoms of {body_part!r}.",
        hint=f"Choose one of {', '.join(BODY_PARTS)}.",
    )
