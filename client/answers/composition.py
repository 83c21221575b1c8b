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
from ...model.statistics.composition import (
    Composition,
    FinerWords,
    cells,
    finer_words,
    patient_shares,
    scale,
)
from ...model.words.tables import read_vocabulary, study_words
from ...privacy.gaussian_sum import private_sum
from ...privacy.ledger import Ledger
from ...privacy.stream import SecretStream
from ...privacy.study_costs import composition_mechanism
from ..data.dataset import SiteDataset
from ..policy import load_policy
from ..site import Site
from ..terms import StudyTerms
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
    if terms.is_joint:
        raise PrivacyError("A joint study counts its patients in one sum over all sites.")
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
    site, terms = question.site, question.terms
    if not load_policy(site.policy).release_composition:
        return Release(outline={}, update=False)
    composition = read_composition(site, question.request.study())
    finer = _finer(site, terms) if composition is None else composition.finer
    numbers = ("float32", (len(cells(finer)),))
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
    mechanism, finer = composition_mechanism(privacy), _finer(part.site, part.terms)
    factor = scale(finer)

    def count(stream: SecretStream) -> dict[str, Any]:
        sums = private_sum(
            _vectors(part.data.dataset, finer),
            size=len(cells(finer)),
            clip_norm=1.0,
            noise_multiplier=mechanism.noise_multiplier,
            stream=stream,
        )
        return asdict(
            Composition(
                # As it would leave: the file, the ledger and the answer are of the same numbers.
                patients=tuple(np.asarray(sums / factor, np.float32).tolist()),
                deviation=float(np.float32(mechanism.noise_multiplier / factor)),
                noise_multiplier=mechanism.noise_multiplier,
                delta=privacy.delta,
                finer=finer,
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
        return Composition.from_plain(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LedgerError(
            f"The study's composition {path.name} is damaged.",
            hint=DAMAGED_HINT,
        ) from error


def _tensors(patients: Sequence[float], deviation: float) -> Tensors:
    """Return the composition in the form in which it leaves."""
    return {
        PATIENTS: np.array(patients, np.float32),
        DEVIATION: np.array([deviation], np.float32),
    }


def _path(site: Site, study: str) -> Path:
    return site.studies / f"{study}.composition.json"


def _finer(site: Site, terms: StudyTerms) -> FinerWords:
    """Return the words of a study that are counted besides those of the frame."""
    return finer_words(study_words(terms.vocabulary, read_vocabulary(site.base)))


def _vectors(dataset: SiteDataset, finer: FinerWords) -> Iterator[NDArray[np.float32]]:
    for key in dataset.train_patients:
        yield patient_shares(dataset.patient(key).descriptions, finer)
