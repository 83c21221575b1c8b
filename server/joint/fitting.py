"""Which settings a joint study cannot have."""

from __future__ import annotations

from ...config.study import Study
from ...errors import ConfigurationError


def require_joint(study: Study) -> None:
    """Refuse settings that mean nothing in a joint study.

    Raises:
        ConfigurationError: If there are any; names them all.
    """
    local, federation = study.local, study.federation
    wrong = [
        text
        for text, is_wrong in (
            (f"local.steps={local.steps} (use 1)", local.steps != 1),
            (f"local.proximal_mu={local.proximal_mu:g} (use 0)", local.proximal_mu != 0),
            (f"local.ema_decay={local.ema_decay:g} (use 0)", local.ema_decay != 0),
            (f"federation.wire={federation.wire} (use float32)", federation.wire != "float32"),
            (
                f"federation.strategy={federation.strategy} (use fedavg; local.optimizer says what "
                "follows the sum)",
                federation.strategy != "fedavg",
            ),
            (f"federation.weights={federation.weights} (use equal)", federation.weights != "equal"),
            (
                "warm_up.enabled=true with privacy.statistics_share=0",
                study.warm_up.enabled and not study.privacy.statistics_share,
            ),
        )
        if is_wrong
    ]
    if wrong:
        raise ConfigurationError(
            f'A study with privacy.sum = "joint" cannot have {", ".join(wrong)}.',
            hint="Its sites give one gradient a round, and the coordinator makes the step.",
        )
