"""A round of a joint study at a site: its part of one step's sum of clipped gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....federation.protocol import RoundReply
from ....privacy.joint.grid import SumGrid
from ....privacy.joint.sums import private_sum
from ....privacy.ledger import Reservation
from ....privacy.stream import SecretStream
from ....privacy.validation import validate_for_dp
from ...workspace.other_devices import linked_devices
from ...workspace.passes import in_passes
from ..opened_round import OpenRound
from .ready import NewSum, begin, joint_plan, require_joint


def run_joint_round(work: OpenRound) -> RoundReply:
    """Pay for a site's part of a step's sum, compute it, keep it, and say that it is ready.

    Raises:
        BudgetExceededError: If the data set cannot pay for the step.
        LedgerError: If the budget cannot be put on record.
        PrivacyError: If the site's policy does not allow the step.
        RosterError: If the site has no keys for the study, or the same attempt was begun with
            another request.
    """
    validate_for_dp(work.base_model.generator)
    part, privacy = work.part, work.part.terms.privacy
    require_joint(work.request, part.terms, part.site, part.policy)
    least = joint_plan(work.request, part.terms).training.with_steps(1)
    work.check(least.own)
    with part.ledger() as ledger:
        steps_share = ledger.plan_joint(
            part.study,
            privacy,
            work.request.rounds,
            min_noise_multiplier=part.policy.min_noise_multiplier,
        )
    share = steps_share.with_steps(1)

    def compute(reservation: Reservation) -> NDArray[np.uint32]:
        def summed(rows: int) -> NDArray[np.uint32]:
            work.take_up_tensors()
            parameters = work.base_model.parameters
            with linked_devices(part.site, part.terms, work.base_model) as link:
                return private_sum(
                    {name: parameters[name] for name in sorted(parameters)},
                    work.loss(),
                    population=len(part.patients),
                    sample_rate=privacy.sample_rate,
                    share=share.own.noise_multiplier,
                    grid=SumGrid(privacy.clip_norm),
                    stream=SecretStream(reservation.secret, "training"),
                    rows_at_once=rows,
                    link=link,
                )

        return in_passes(part.site, part.study, part.terms, work.base_model, summed)

    most = work.request.rounds + privacy.spare_attempts
    return begin(work.question, part, NewSum(shares=(share,), most=most, compute=compute))
