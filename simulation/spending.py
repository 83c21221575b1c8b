"""What a simulated site's data set has spent, read from its ledger."""

from __future__ import annotations

import re
from collections import Counter

from ..client.site import Site
from ..evaluation.report.results import Mechanism, SitePrivacy
from ..privacy.accounting import epsilon_rdp
from ..privacy.joint.plan import both_epsilons
from ..privacy.joint.shares import JointShare
from ..privacy.ledger.book import shares_of
from ..privacy.ledger.entries import Reserve
from ..privacy.ledger.view import LedgerView
from ..privacy.settings import PrivacySettings

_ROUND = re.compile(r"round (\d+)(?: attempt \d+)?")


def site_privacy(site: Site, privacy: PrivacySettings) -> SitePrivacy | None:
    """Return what a site's data set has spent in its life; ``None`` if it has no ledger.

    Args:
        site: The site.
        privacy: Terms of the study, which are the site's ceilings as well.
    """
    if not site.ledger.exists():
        return None
    view = LedgerView.read(site.ledger)
    runs: Counter[tuple[str, JointShare]] = Counter()
    for record in _reservations(view):
        purpose = "training" if _ROUND.fullmatch(record.purpose) else record.purpose
        runs.update((purpose, share) for share in shares_of(record.mechanisms, record.joint))
    is_joint, delta = view.book.has_joint, privacy.delta
    epsilon, alone = both_epsilons(view.book.shares(), delta)
    return SitePrivacy(
        epsilon=epsilon,
        epsilon_rdp=epsilon_rdp(view.book.mechanisms(), delta),
        epsilon_ceiling=privacy.epsilon,
        delta=delta,
        mechanisms=tuple(
            Mechanism(
                purpose=purpose,
                sample_rate=share.own.sample_rate,
                noise_multiplier=share.own.noise_multiplier,
                steps=share.own.steps,
                times=times,
                joint_noise_multiplier=share.joint.noise_multiplier if is_joint else None,
            )
            for (purpose, share), times in runs.items()
        ),
        collusion_epsilon=alone if is_joint else None,
        collusion_ceiling=privacy.collusion_epsilon if is_joint else None,
    )


def epsilon_by_round(site: Site, study: str) -> dict[int, float]:
    """Return what a site's data set had spent after each round of a study."""
    if not site.ledger.exists():
        return {}
    epsilons = {}
    for record in _reservations(LedgerView.read(site.ledger)):
        number = _ROUND.fullmatch(record.purpose)
        if number and record.study == study:
            epsilons[int(number[1])] = record.epsilon
    return epsilons


def _reservations(view: LedgerView) -> list[Reserve]:
    return [entry.record for entry in view.entries if isinstance(entry.record, Reserve)]
