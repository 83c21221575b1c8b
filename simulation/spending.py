"""What a simulated site's data set has spent, read from its ledger."""

from __future__ import annotations

import re
from collections import Counter

from ..client.site import Site
from ..evaluation.report.results import Mechanism, SitePrivacy
from ..privacy.accounting import epsilon, epsilon_rdp
from ..privacy.ledger.entries import Reserve
from ..privacy.ledger.view import LedgerView
from ..privacy.mechanism import SubsampledGaussian

_ROUND = re.compile(r"round (\d+)(?: attempt \d+)?")


def site_privacy(site: Site, *, ceiling: float, delta: float) -> SitePrivacy | None:
    """Return what a site's data set has spent in its life; ``None`` if it has no ledger."""
    if not site.ledger.exists():
        return None
    view = LedgerView.read(site.ledger)
    runs: Counter[tuple[str, SubsampledGaussian]] = Counter()
    for record in _reservations(view):
        purpose = "training" if _ROUND.fullmatch(record.purpose) else record.purpose
        runs.update((purpose, mechanism) for mechanism in record.mechanisms)
    mechanisms = view.book.mechanisms()
    return SitePrivacy(
        epsilon=epsilon(mechanisms, delta),
        epsilon_rdp=epsilon_rdp(mechanisms, delta),
        epsilon_ceiling=ceiling,
        delta=delta,
        mechanisms=tuple(
            Mechanism(
                purpose=purpose,
                sample_rate=mechanism.sample_rate,
                noise_multiplier=mechanism.noise_multiplier,
                steps=mechanism.steps,
                times=times,
            )
            for (purpose, mechanism), times in runs.items()
        ),
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
