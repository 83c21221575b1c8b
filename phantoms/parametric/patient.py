"""Who the random patient is, and which body is built for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...errors import ConfigurationError
from .abdomen import abdomen_scene
from .chest import chest_scene
from .head import head_scene
from .scene import Scene

BODY_PARTS = ("head", "chest", "abdomen")

_Build = Callable[[np.random.Generator, str, str, float], Scene]
#: For each body part: how it is built, its findings with their frequency, the least age.
_BODIES: dict[str, tuple[_Build, dict[str, float], float]] = {
    "head": (head_scene, {"no finding": 0.4, "lesion": 0.6}, 4.0),
    "chest": (
        chest_scene,
        {"no finding": 0.4, "pneumonia": 0.25, "COVID-19": 0.2, "other finding": 0.15},
        14.0,
    ),
    "abdomen": (abdomen_scene, {"no finding": 0.5, "lesion": 0.5}, 14.0),
}


def draw_patient(rng: np.random.Generator, body_part: str, finding: str | None = None) -> Scene:
    """Draw a patient.

    Args:
        rng: Source of randomness.
        body_part: One of :data:`BODY_PARTS`.
        finding: The finding to build in; drawn at random if ``None``.

    Raises:
        ConfigurationError: If the body part is unknown, or has no such finding.
    """
    if body_part not in _BODIES:
        raise ConfigurationError(
            f"There are no parametric phantoms of {body_part!r}.",
            hint=f"Choose one of {', '.join(BODY_PARTS)}.",
        )
    build, findings, least_age = _BODIES[body_part]
    if finding is not None and finding not in findings:
        raise ConfigurationError(
            f"Parametric phantoms of the {body_part} cannot show {finding!r}.",
            hint=f"Choose one of {', '.join(findings)}.",
        )
    sex = str(rng.choice(("female", "male")))
    years = float(np.clip(rng.normal(50, 20), least_age, 95))
    choice = str(rng.choice(list(findings), p=list(findings.values())))
    return build(rng, finding or choice, sex, years)
