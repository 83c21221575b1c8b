"""Whether a study fits the generator that it starts from."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.study import Study
from ..errors import ConfigurationError
from .joint.fitting import require_joint
from .terms import is_joint


def require_fitting(study: Study, image_sizes: Sequence[int]) -> None:
    """Refuse a study that does not fit the generator it starts from.

    Args:
        study: The study.
        image_sizes: Sides in pixels that the generator can be trained at, its own first.

    Raises:
        ConfigurationError: If the study's is none of them, or a joint study has settings that
            mean nothing in it.
    """
    if is_joint(study):
        require_joint(study)
    own, *others = image_sizes
    if study.data.image_size in image_sizes:
        return
    also = f" It also takes {', '.join(map(str, sorted(others)))}." if others else ""
    raise ConfigurationError(
        f"data.image_size is {study.data.image_size}, but the base generates {own} pixels.",
        hint=f"Set data.image_size={own} (--set data.image_size={own}), or start from another "
        f"base.{also}",
    )
