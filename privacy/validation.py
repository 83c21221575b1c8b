"""Finding layers that cannot be trained under differential privacy."""

from __future__ import annotations

from torch import nn

from ..errors import PrivacyError


def validate_for_dp(module: nn.Module) -> None:
    """Check that each row's gradient depends on that row only.

    Opacus' validators decide. Only layers in training mode are looked at: a frozen batch
    normalisation in evaluation mode, for one, is an ordinary affine layer.

    Args:
        module: The module whose parameters train.

    Raises:
        PrivacyError: Names each layer that mixes patients, or keeps statistics of them.
    """
    from opacus.validators import ModuleValidator

    problems = []
    for name, layer in module.named_modules():
        validator = ModuleValidator.VALIDATORS.get(type(layer))
        mixes = layer.training or any(p.requires_grad for p in layer.parameters(recurse=False))
        if validator is not None and mixes and validator(layer):
            problems.append(f"{name or '(the module itself)'} ({type(layer).__name__})")
    if problems:
        raise PrivacyError(
            f"These layers cannot be trained privately: {', '.join(problems)}.",
            hint="Use group or layer normalisation, or put frozen layers in evaluation mode.",
        )
