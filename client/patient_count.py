"""A site's number of patients, as far as a study may know it: once, and with noise.

The scale of every update tells everybody what the sum of gradients was divided by. The true
number of patients would reveal whether one certain patient is there, so it is a noised one,
paid for like everything else, and drawn once for a study.
"""

from __future__ import annotations

import json

from ..errors import LedgerError
from ..privacy.gaussian_sum import private_count
from ..privacy.ledger import Ledger
from ..privacy.mechanism import SubsampledGaussian
from .kept_count import keep_count
from .policy import SitePolicy
from .site import Site
from .study_request import StudyTerms
from .workspace import OpenData

_KEY = "expected_patients"


def expected_patients(
    ledger: Ledger, site: Site, study: str, terms: StudyTerms, policy: SitePolicy, data: OpenData
) -> float:
    """Return the noised number of patients that a study's updates are scaled by.

    Args:
        ledger: The data set's open ledger; pays the first time.
        site: Where the number is kept.
        study: Digest of the study.
        terms: The study's terms.
        policy: The site's policy.
        data: The site's data.

    Raises:
        BudgetExceededError: If the data set cannot pay for it.
        LedgerError: If the stored number is damaged.
        PrivacyError: If the policy does not allow it.
    """
    path = site.state / "studies" / f"{study}.json"
    if not path.exists():
        mechanism = count_mechanism(terms.privacy.epsilon)
        keep_count(
            path,
            "patient count",
            mechanism,
            lambda stream: {
                _KEY: private_count(
                    len(data.dataset.train_patients),
                    noise_multiplier=mechanism.noise_multiplier,
                    stream=stream,
                )
            },
            ledger=ledger,
            site=site,
            study=study,
            terms=terms,
            policy=policy,
            data=data,
        )
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))[_KEY])
    except (ValueError, KeyError, TypeError):
        raise LedgerError(
            f"The study's patient count {path.name} is damaged.",
            hint="Remove the file: the count is then paid for anew, unless it is repeated.",
        ) from None


def count_mechanism(epsilon: float) -> SubsampledGaussian:
    """Return what the count costs: noise of 5 patients at epsilon 8, and in proportion.

    A Gaussian mechanism's budget goes with the square of 1 over its noise, and the square of
    what epsilon 8 at delta 1e-5 allows in all is about 2.5: 1 / 5**2 is 1.6 % of it.

    Args:
        epsilon: The study's epsilon.
    """
    return SubsampledGaussian(1.0, max(1.0, 40.0 / epsilon), 1)
