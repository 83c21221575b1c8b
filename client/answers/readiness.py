"""Whether a study could begin at this site, said before any site has paid for it.

Nothing is trained, paid for or begun, and nothing is written. The site looks at its approval, its
base, its policy, its ledger and how many patients it has, of whom so many are decoded as it takes
to see that enough are not blank: what the study's first question would be refused for. A no is the
code that this refusal would have, and a yes is no more than that.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...errors import BudgetExceededError, LedgerError
from ...federation.protocol import READY, RoundReply, RoundRequest
from ...model.words.tables import study_words
from ...privacy.joint.plan import plan_joint
from ...privacy.ledger.journal import LINES
from ...privacy.ledger.view import LedgerView
from ...privacy.mechanism import SubsampledGaussian
from ...privacy.study_costs import once_mechanisms
from ..cost import study_cost
from ..data.identity import FILE_NAME, DatasetIdentity
from ..policy import SitePolicy, load_policy
from ..proposed_step import ProposedStep, check_step
from ..site import Site
from ..spending import known_spending
from ..terms import StudyTerms
from ..workspace.patient_numbers import training_patients
from .asked import Asked
from .joint.ready import require_joint
from .opened_round import open_study_generator, require_base
from .release import Release


def run_readiness(question: Asked) -> RoundReply:
    """Say yes, or raise what the study's first question would.

    Raises:
        BudgetExceededError: If the data set cannot pay for the study.
        DataError: If the scans cannot be used.
        LedgerError: If the budget could not be put on record.
        ModelError: If the site has another base than the study.
        PrivacyError: If the site's policy does not allow what the study would do.
        ProtocolError: If the request is malformed.
    """
    request, terms, site = question.request, question.terms, question.site
    base_model = open_study_generator(question, warmed_up=False)
    require_base(request, terms, base_model)
    policy = load_policy(site.policy)
    if terms.is_joint:
        require_joint(request, terms, site, policy)
    words = study_words(terms.vocabulary, base_model.generator.words)
    patients = training_patients(
        site, request.study(), terms.data, words, least=policy.min_patients
    )
    for step in _steps(request, terms, policy, patients):
        check_step(policy, step)
    if terms.privacy.enabled:
        _require_payable(request, terms, site, policy)
    return RoundReply(
        site=site.name,
        request=request.digest(),
        weight=policy.weight or 1.0,
        tensors={READY: np.ones(1, np.float32)},
    )


def readiness_release(question: Asked) -> Release:
    """Return what a yes may hold."""
    return Release.of_public({READY: np.ones(1, np.float32)}, paid=False)


def _steps(
    request: RoundRequest, terms: StudyTerms, policy: SitePolicy, patients: int
) -> Iterator[ProposedStep]:
    """Yield all that the study would do here; the statistics only where they would come next."""
    privacy, data = terms.privacy, terms.data

    def step(
        mechanism: SubsampledGaussian | None, clip_norm: float, subset: str | None
    ) -> ProposedStep:
        return ProposedStep(
            mechanism=mechanism,
            clip_norm=clip_norm,
            patients=patients,
            burned_in=data.burned_in,
            captions=data.captions,
            subset=subset,
            joint=privacy if terms.is_joint else None,
        )

    if terms.is_joint:
        plan = plan_joint(privacy, request.rounds)
        own = plan.training.with_steps(1).own
        yield step(own, privacy.clip_norm, terms.trainable.subset)
        for share in plan.once:
            yield step(share.own, 1.0, None)
        return
    training = SubsampledGaussian(
        privacy.sample_rate, policy.min_noise_multiplier, terms.local.steps
    )
    yield step(training if privacy.enabled else None, privacy.clip_norm, terms.trainable.subset)
    if privacy.enabled:
        for once in once_mechanisms(privacy, statistics=request.round == 0):
            yield step(once, 1.0, None)


def _require_payable(
    request: RoundRequest, terms: StudyTerms, site: Site, policy: SitePolicy
) -> None:
    if site.home is not None:
        known_spending(site.home, site.state, allow_non_private=policy.allow_non_private)
    if (site.ledger / LINES).exists() and (site.state / FILE_NAME).exists():
        identity = DatasetIdentity.load_or_create(site.state).name
        if LedgerView.read(site.ledger).book.data_set != identity:
            raise LedgerError(
                "The ledger is of another data set.",
                hint="Put the data set's own ledger and identity back from one backup.",
            )
    cost = study_cost(site.ledger, policy, terms, request.study(), request.rounds)
    if cost.after is None:
        raise BudgetExceededError(
            f"The data set cannot pay for the study. {cost.problem}",
            hint="Nothing was run or spent. The study can ask for less.",
        )
