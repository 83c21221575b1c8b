"""Whether a study fits the generator that it starts from."""

from __future__ import annotations

from ..config.study import Study
from ..errors import ConfigurationError
from .joint.fitting import require_joint
from .terms import is_joint


def require_fitting(study: Study, image_size: int) -> None:
    """Refuse a study that does not fit the generator it starts from.

    Args:
        study: The study.
        image_size: Side of the generator's images in pixels.

    Raises:
        ConfigurationError: If the two are of different image sizes, or a joint study has settings
            that mean nothing in it.
    """
    if is_joint(study):
        require_joint(study)
    if study.data.image_size != image_size:
        raise ConfigurationError(
            f"data.image_size is {study.data.image_size}, but the base generates "
            f"{image_size} pixels.",
            hint=f"Set data.image_size={image_size}, or start from another base.",
        )
