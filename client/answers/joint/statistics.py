"""All that a joint study counts once, as a site's part of one sum: before the first round.

These are the warm-up's sums per group of images, the number of patients and the composition, as far
as the study sets a budget aside for each. All of it is paid for together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ....federation.protocol import RoundReply
from ....model.statistics.composition import FinerWords, finer_words, patient_shares
from ....model.statistics.group_means import CLIP_NORM, all_groups, patient_vector
from ....model.statistics.once import CELLS, COUNT, GROUPS, join_parts, part_sizes
from ....model.words.tables import read_vocabulary, study_words
from ....privacy.joint.grid import STATISTICS_BITS, SumGrid
from ....privacy.joint.shares import JointShare
from ....privacy.joint.sums import private_count_sum, private_vector_sum
from ....privacy.ledger import Reservation
from ....privacy.stream import SecretStream
from ...data.dataset import SiteDataset
from ...policy import load_policy
from ...workspace.participation import Participation
from ..asked import Asked
from .ready import NewSum, begin, joint_plan, require_joint


def run_joint_statistics(question: Asked) -> RoundReply:
    """Pay for a site's part of a study's statistics, compute and keep it, say that it is ready.

    Raises:
        BudgetExceededError: If the data set cannot pay for them.
        DataError: If the scans cannot be used.
        LedgerError: If the budget cannot be put on record.
        PrivacyError: If the site's policy has no room for them.
        RosterError: If the site has no keys for the study, or the same attempt was begun with
            another request.
    """
    terms, site = question.terms, question.site
    plan = joint_plan(question.request, terms)
    require_joint(question.request, terms, site, load_policy(site.policy))
    part = Participation.open(question.request, terms, site)
    for share in plan.once:
        part.check(share.own, clip_norm=1.0)
    shares = {GROUPS: plan.statistics, COUNT: plan.count, CELLS: plan.composition}

    def compute(reservation: Reservation) -> NDArray[np.uint32]:
        return _values(part, {name: one for name, one in shares.items() if one}, reservation)

    return begin(
        question,
        part,
        NewSum(shares=plan.once, most=1 + terms.privacy.spare_attempts, compute=compute),
    )


def _values(
    part: Participation, shares: Mapping[str, JointShare], reservation: Reservation
) -> NDArray[np.uint32]:
    """Return the site's part, uint32 ``[N]``."""
    words = study_words(part.terms.vocabulary, read_vocabulary(part.site.base))
    finer = finer_words(words)
    sizes = part_sizes(groups=GROUPS in shares, finer=finer if CELLS in shares else None)
    grid, dataset = SumGrid(1.0, STATISTICS_BITS), part.data.dataset
    vectors = {GROUPS: lambda: _group_vectors(dataset), CELLS: lambda: _cells(dataset, finer)}
    parts = []
    for name, size in sizes.items():
        share = shares[name].own.noise_multiplier
        stream = SecretStream(reservation.secret, name)
        parts.append(
            private_count_sum(len(part.patients), share=share, grid=grid, stream=stream)
            if name == COUNT
            else private_vector_sum(
                vectors[name](), size=size, share=share, grid=grid, stream=stream
            )
        )
    return join_parts(parts)


def _group_vectors(dataset: SiteDataset) -> Iterator[NDArray[np.float32]]:
    groups = all_groups()
    for key in dataset.train_patients:
        yield patient_vector(dataset.examples(key), groups) / np.float32(CLIP_NORM)


def _cells(dataset: SiteDataset, finer: FinerWords) -> Iterator[NDArray[np.float32]]:
    for key in dataset.train_patients:
        yield patient_shares(dataset.patient(key).descriptions, finer)
