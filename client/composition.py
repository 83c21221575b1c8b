"""A site's share of a data card: noised numbers of its patients by sex, age, modality and finding.

Drawn once for a study, before its training is planned, so that it is paid for from the study's
budget. The file stays at the site: nothing sends it anywhere. Being noised and paid for, it may
be handed to whoever writes the data card.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LedgerError
from ..model.composition import SCALE, Composition, cells, patient_shares
from ..privacy.gaussian_sum import private_sum
from ..privacy.ledger import Ledger
from ..privacy.mechanism import SubsampledGaussian
from ..privacy.planning import budget_share
from ..privacy.settings import PrivacySettings
from ..privacy.stream import SecretStream
from .dataset import SiteDataset
from .kept_count import keep_count
from .policy import SitePolicy
from .site import Site
from .study_request import StudyTerms
from .workspace import OpenData


def composition_mechanism(privacy: PrivacySettings) -> SubsampledGaussian:
    """Return the mechanism that takes the composition's share of a study's budget.

    Raises:
        PrivacyError: If the study sets no share aside for it.
    """
    return budget_share(privacy.composition_share, epsilon=privacy.epsilon, delta=privacy.delta)


def keep_composition(
    ledger: Ledger, site: Site, study: str, terms: StudyTerms, policy: SitePolicy, data: OpenData
) -> None:
    """Count the training patients with noise, once for a study, if its terms ask for it.

    Args:
        ledger: The data set's open ledger; pays the first time.
        site: Where the numbers are kept.
        study: Digest of the study.
        terms: The study's terms.
        policy: The site's policy.
        data: The site's data.

    Raises:
        BudgetExceededError: If the data set cannot pay for it.
        PrivacyError: If the policy does not allow it.
    """
    path = _path(site, study)
    # Before the noise is calibrated: that takes longer than all else here, and comes every round.
    if not terms.privacy.composition_share or path.exists():
        return
    mechanism = composition_mechanism(terms.privacy)

    def count(stream: SecretStream) -> dict[str, Any]:
        sums = private_sum(
            _vectors(data.dataset),
            size=len(cells()),
            clip_norm=1.0,
            noise_multiplier=mechanism.noise_multiplier,
            stream=stream,
        )
        return asdict(
            Composition(
                patients=tuple((sums / SCALE).tolist()),
                deviation=mechanism.noise_multiplier / SCALE,
                noise_multiplier=mechanism.noise_multiplier,
                delta=terms.privacy.delta,
            )
        )

    keep_count(
        path,
        "composition",
        mechanism,
        count,
        ledger=ledger,
        site=site,
        study=study,
        terms=terms,
        policy=policy,
        data=data,
    )


def read_composition(site: Site, study: str) -> Composition | None:
    """Read the noised numbers of a study; ``None`` if it asked for none.

    Raises:
        LedgerError: If the file is damaged.
    """
    path = _path(site, study)
    if not path.exists():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        composition = Composition(
            patients=tuple(map(float, stored["patients"])),
            deviation=float(stored["deviation"]),
            noise_multiplier=float(stored["noise_multiplier"]),
            delta=float(stored["delta"]),
        )
    except (ValueError, KeyError, TypeError):
        composition = None
    if composition is None or len(composition.patients) != len(cells()):
        raise LedgerError(
            f"The study's composition {path.name} is damaged.",
            hint="Remove the file: it is then made anew by the study's next round, and is paid "
            "for again unless data and software are the same.",
        )
    return composition


def _path(site: Site, study: str) -> Path:
    return site.state / "studies" / f"{study}.composition.json"


def _vectors(dataset: SiteDataset) -> Iterator[NDArray[np.float32]]:
    for key in dataset.train_patients:
        yield patient_shares(dataset.patient(key).descriptions)
