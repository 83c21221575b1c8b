"""What a site checks before its part of a joint sum may be masked for a roster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ....errors import RosterError
from ....federation.joint.context import SumContext, members_digest
from ....federation.joint.messages import RevealRequest
from ....privacy.ledger import Reservation
from ....privacy.ledger.journal import LINES
from ....privacy.settings import PrivacySettings
from ...policy import SitePolicy, load_policy
from ...workspace.participation import data_set_ledger
from ..asked import Asked
from .pairs import own_pairs
from .ready import payment
from .store import SumStore


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenedSum:
    """A site's part of a sum, and what it is masked with; for the egress gate and nobody else.

    Attributes:
        context: The sum.
        values: The part without a mask, uint32 ``[N]``.
        secrets: The secret that the site shares with each other member.
        reservation: What was paid for it.
    """

    context: SumContext
    values: NDArray[np.uint32] = field(repr=False)
    secrets: Mapping[str, bytes] = field(repr=False)
    reservation: Reservation = field(repr=False)


def _require_enough(members: int, privacy: PrivacySettings, policy: SitePolicy) -> None:
    """Refuse a sum of fewer sites than study and policy ask for, as the policy is now.

    Raises:
        RosterError: If it is of fewer, or so many of them may collude by the policy that less noise
            is left than was counted when the part was paid for.
    """
    fewest = max(privacy.min_sites, policy.min_sites)
    if members < fewest:
        raise RosterError(f"The sum is to be opened for {members} sites, not for {fewest}.")
    honest = members - policy.max_colluding_sites
    if honest < privacy.honest_sites:
        raise RosterError(
            f"Of {members} sites {policy.max_colluding_sites} may work with the coordinator by the "
            f"site's policy (max_colluding_sites). That leaves the noise of {honest}, and the "
            f"ledger counts that of {privacy.honest_sites}.",
            hint="Nothing leaves. A sum of more sites would do.",
        )


def open_sum(question: Asked, reveal: RevealRequest) -> OpenedSum:
    """Return a site's part of a sum for a roster that may see the total.

    Raises:
        LedgerError: If the ledger cannot be used, or what paid for the sum is erased.
        RosterError: If the members are not of the approved roster, too few for the site's policy
            or the study, without this site, or others than the sum was opened for before; or the
            sum was never begun here.
    """
    site, terms = question.site, question.terms
    roster, policy = terms.require_roster(), load_policy(site.policy)
    members = reveal.members
    if strangers := sorted(set(members) - set(roster.names)):
        raise RosterError(f"{strangers[0]!r} is not in the approved roster.")
    if site.name not in members:
        raise RosterError("The sum is to be opened without this site.")
    _require_enough(len(members), terms.privacy, policy)
    if not (site.ledger / LINES).exists():
        raise RosterError("A sum is to be opened, and nothing was ever begun here.")
    secrets = own_pairs(site, roster).secrets(members, reveal.encapsulations)
    with data_set_ledger(site, policy) as ledger:
        payment_entry = payment(ledger, reveal.request, reveal.message)
        if payment_entry.roster not in ("", members_digest(members)):
            raise RosterError(
                "The sum was opened for other sites before.",
                hint="The coordinator may begin it anew as another attempt.",
            )
        reservation = ledger.reserve(
            payment_entry.record.request,
            payment_entry.record.mechanisms,
            joint=payment_entry.record.joint,
            purpose=payment_entry.record.purpose,
            study=payment_entry.record.study,
        )
    values = SumStore(site.sums(reveal.request.study())).find(reveal.message)
    if values is None:
        raise RosterError(
            "The site's part of the sum is lost.",
            hint="It is made again at no cost when the coordinator asks for the round again.",
        )
    return OpenedSum(
        context=reveal.context, values=values, secrets=secrets, reservation=reservation
    )
