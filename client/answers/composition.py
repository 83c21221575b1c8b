"""A site's share of a data card: noised numbers of its patients by sex, age, modality and finding.

Drawn once for a study, before its training is planned, so that it is paid for from the study's
budget. It leaves the site only if the site's policy says so (``release_composition``), as what
the ledger has on record; else it stays in a file that a person may hand over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import LedgerError, PrivacyError
from ...federation.protocol import (
    DEVIATION,
    PATIENTS,
    RoundReply,
    Tensors,
    tensors_digest,
)
from ...model.statistics.composition import SCALE, Composition, cells, patient_shares
from ...privacy.gaussian_sum import private_sum
from ...privacy.ledger import Ledger
from ...privacy.stream import SecretStream
from ...privacy.study_costs import composition_mechanism
from ..data.dataset import SiteDataset
from ..policy import load_policy
from ..site import Site
from ..workspace.participation import Participation
from .asked import Asked
from .paid_once import DAMAGED_HINT, keep_paid_once
from .release import Release


def run_composition(question: Asked) -> RoundReply:
    """Answer with the study's noised composition, drawn and paid for now if it never was.

    Raises:
        BudgetExceededError: If the data set cannot pay for it.
        DataError: If the scans cannot be used.
        LedgerError: If it cannot be put on record, or the kept file is damaged.
        PrivacyError: If the study sets nothing aside for it, or the site's policy keeps it here.
        ProtocolError: If the request is malformed.
    """
    request, terms, site = question.request, question.terms, question.site
    composition_mechanism(terms.privacy)  # refuses where the study sets nothing aside for it
    if not load_policy(site.policy).release_composition:  # before hours of opening data
        raise PrivacyError(
            "The site's policy keeps the noised composition here.",
            hint="Set release_composition = true in policy.toml if it may leave.",
        )
    part = Participation.open(request, terms, site)
    with part.ledger() as ledger:
        keep_composition(ledger, part)
    composition = read_composition(site, part.study)
    assert composition is not None  # it was kept just now
    return RoundReply(
        site=site.name,
        request=request.digest(),
        weight=part.policy.weight or 1.0,
        tensors=_tensors(composition.patients, composition.deviation),
    )


def composition_release(question: Asked) -> Release:
    """Return what the answer with a composition may hold; nothing against the site's policy."""
    if not load_policy(question.site.policy).release_composition:
        return Release(outline={}, update=False)
    numbers = ("float32", (len(cells()),))
    return Release(outline={PATIENTS: numbers, DEVIATION: ("float32", (1,))}, update=False)


def keep_composition(ledger: Ledger, part: Participation) -> None:
    """Count the training patients with noise, once for a study, if its terms ask for it.

    Args:
        ledger: The data set's open ledger; pays the first time.
        part: The site's part in the study.

    Raises:
        BudgetExceededError: If the data set cannot pay for it.
        PrivacyError: If the policy does not allow it.
    """
    path, privacy = _path(part.site, part.study), part.terms.privacy
    # Before the noise is calibrated: that takes longer than all else here, and comes every round.
    if not privacy.composition_share or path.exists():
        return
    mechanism = composition_mechanism(privacy)

    def count(stream: SecretStream) -> dict[str, Any]:
        sums = private_sum(
            _vectors(part.data.dataset),
            size=len(cells()),
            clip_norm=1.0,
            noise_multiplier=mechanism.noise_multiplier,
            stream=stream,
        )
        return asdict(
            Composition(
                # As it would leave: the file, the ledger and the answer are of the same numbers.
                patients=tuple(np.asarray(sums / SCALE, np.float32).tolist()),
                deviation=float(np.float32(mechanism.noise_multiplier / SCALE)),
                noise_multiplier=mechanism.noise_multiplier,
                delta=privacy.delta,
            )
        )

    keep_paid_once(
        path,
        "composition",
        mechanism,
        count,
        ledger=ledger,
        part=part,
        result=lambda content: tensors_digest(_tensors(content["patients"], content["deviation"])),
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
        content = json.loads(path.read_text(encoding="utf-8"))
        composition = Composition(
            patients=tuple(map(float, content["patients"])),
            deviation=float(content["deviation"]),
            noise_multiplier=float(content["noise_multiplier"]),
            delta=float(content["delta"]),
        )
    except (ValueError, KeyError, TypeError):
        composition = None
    if composition is None or len(composition.patients) != len(cells()):
        raise LedgerError(
            f"The study's composition {path.name} is damaged.",
            hint=DAMAGED_HINT,
        )
    return composition


def _tensors(patients: Sequence[float], deviation: float) -> Tensors:
    """Return the composition in the form in which it leaves."""
    return {
        PATIENTS: np.array(patients, np.float32),
        DEVIATION: np.array([deviation], np.float32),
    }


def _path(site: Site, study: str) -> Path:
    return site.studies / f"{study}.composition.json"


def _vectors(dataset: SiteDataset) -> Iterator[NDArray[np.float32]]:
    for key in dataset.train_patients:
        yield patient_shares(dataset.patient(key).descriptions)
