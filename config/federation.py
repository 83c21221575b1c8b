"""Settings of the federation: its rounds, how updates are combined, and the warm-up."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from ..federation.wire import Form

#: Settings that say how long to wait for whom, and what to keep. Nothing that is trained depends on
#: them, so a run can be resumed with others.
PATIENCE = (
    "min_results",
    "expected_sites",
    "wait_timeout_s",
    "round_timeout_s",
    "approval_timeout_s",
    "checkpoints_kept",
)

#: Seconds of an hour, the default limit of a round.
_HOUR = 3600.0
_WEEK = 7 * 24 * _HOUR


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class FederationSettings:
    """How many rounds, which results they need, and how those become the next model."""

    rounds: int = Field(8, ge=1, description="Federated rounds of the study.")
    min_results: int = Field(
        2, ge=1, description="Usable site results a round needs; with fewer the study stops."
    )
    expected_sites: int = Field(
        0, ge=0, description="Sites to wait for before the first round; 0 waits for min_results."
    )
    wait_timeout_s: float = Field(
        600.0, gt=0, description="Longest wait for sites to connect, in seconds."
    )
    round_timeout_s: float = Field(
        _HOUR,
        gt=0,
        description="Longest wait for the results of one round, in seconds. A question that was "
        "lost on its way is sent again after a quarter of it, or a minute.",
    )
    approval_timeout_s: float = Field(
        _WEEK,
        ge=0,
        description="Longest wait of a round with too few results for sites that are paused or "
        "have not approved the study yet, in seconds; 0 ends the study at once.",
    )
    strategy: Literal["fedavg", "fedavgm", "fedadam"] = Field(
        "fedavg",
        description="Server optimiser: plain averaging, averaging with momentum, or Adam.",
    )
    server_learning_rate: float = Field(
        1.0, gt=0, description="Step of fedavgm and fedadam along the averaged update."
    )
    server_momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of fedavgm.")
    server_beta1: float = Field(0.9, ge=0, lt=1, description="First-moment decay of fedadam.")
    server_beta2: float = Field(0.99, ge=0, lt=1, description="Second-moment decay of fedadam.")
    server_tau: float = Field(
        1e-3, gt=0, description="Adaptivity floor of fedadam, added to the root of its variance."
    )
    weights: Literal["equal", "declared"] = Field(
        "equal",
        description="Weight of a site: all equal, or the weight its own policy declares.",
    )
    max_update_norm: float = Field(
        1e3, gt=0, description="Largest accepted L2 norm of a site's update; larger is refused."
    )
    wire: Form = Field(
        "float32",
        description="Form in which a site's update travels: `float32` is lossless, `bfloat16` "
        "halves it, `int8` quarters it and adds what rounding lost to the site's next update. "
        "The sites approve it with the study.",
    )
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Decay per round of the averaged weights the final generator uses; 0 is off.",
    )
    checkpoints_kept: int = Field(
        3,
        ge=1,
        description="Latest round checkpoints kept on disk. A site repeats its last four steps at "
        "no cost, so a run can be resumed from the last three.",
    )


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class WarmUpSettings:
    """The stage before the first round, which moves the base towards private statistics.

    Its budget is ``privacy.statistics_share``.
    """

    enabled: bool = Field(
        False,
        description="Begin with noised mean images of every group; needs privacy, and a share of "
        "its budget (privacy.statistics_share).",
    )
    subset: Literal["attention", "adapters", "all"] = Field(
        "attention",
        description="What the warm-up trains. It costs no privacy beyond the means, so this can "
        "be more than the rounds train.",
    )
    images: int = Field(
        512, ge=16, le=100_000, description="Samples of the base that are moved to the means."
    )
    steps: int = Field(200, ge=1, le=100_000, description="Optimizer steps on these samples.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Learning rate of these steps.")
