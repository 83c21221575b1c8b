"""A study in plain words: what it would do here, what would leave, and what it would cost."""

from __future__ import annotations

from dataclasses import dataclass

from ...common.counted import counted
from ...common.progress import Progress, no_progress
from ...errors import BudgetExceededError, DataError, ModelError
from ...federation.invitation import Invitation
from ...model.description import FINDINGS
from ...model.words.tables import study_words
from ...privacy.mechanism import SubsampledGaussian
from ..answers.joint.ready import require_joint
from ..cost import Cost, study_cost
from ..policy import SitePolicy, load_policy
from ..proposed_step import ProposedStep, check_step
from ..site import Site
from ..spending import known_spending
from ..terms import StudyTerms
from ..workspace.opened import OpenGenerator, open_generator
from ..workspace.patient_numbers import patient_numbers
from .data_sets import DataSet, site_with_data_set
from .home import SiteHome
from .machine import memory_sentence
from .promises import (
    cost_told,
    learning_expected,
    leaving_together,
    privacy_promised,
    together_with,
)

_SUBSETS = {
    "biases": "a few numbers that the attention layers of the image generator add everywhere",
    "norms": "the scales and shifts of the norms of the image generator",
    "attention": "the attention layers of the image generator",
    "adapters": "the small adapter that places findings in the image",
    "lora": "small additions (low-rank updates) to the attention layers of the image generator",
    "all": "all layers of the image generator",
}
_FORMS = {
    "float32": "exactly",
    "bfloat16": "rounded to 8 significant bits",
    "int8": "rounded to 8 bits",
}
_BURNED_IN = {
    "refuse_marked": "images marked as having text in their pixels",
    "refuse_likely": "images that have or are likely to have text in their pixels",
    "refuse_unstated": "images that do not state that their pixels are free of text",
}


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a data steward decides on.

    Attributes:
        study: Digest of the study.
        facts: What it is about, as (heading, sentence).
        cost: What it costs; ``None`` for a study without privacy.
    """

    study: str
    facts: tuple[tuple[str, str], ...]
    cost: Cost | None

    def require_payable(self) -> None:
        """Refuse a study that the data set cannot pay for: every round of it would be refused.

        Raises:
            BudgetExceededError: If it cannot.
        """
        if self.cost is not None and self.cost.after is None:
            raise BudgetExceededError(
                f"The study cannot be approved for this data set. {self.cost.problem}",
                hint="Nothing was changed. The study can ask for less, or be approved for another "
                "data set.",
            )


def propose(
    home: SiteHome,
    invitation: Invitation,
    data_set: DataSet,
    base: str = "",
    *,
    report: Progress = no_progress,
) -> Proposal:
    """Say what a study would do to a data set, and check it against the policy.

    Args:
        home: The site's home.
        invitation: The study.
        data_set: The data set it would train on.
        base: Folder of its base; the site's own if empty.
        report: Told which of three steps is done (the base, the cost, the patients), and how many
            headers are read.

    Raises:
        LedgerError: If the data set's ledger is damaged, or the home proves that it is not whole.
        ModelError: If the base is not the study's.
        PrivacyError: If the policy does not allow the study whatever is approved.
        ProtocolError: If its terms are malformed.
        RosterError: If the roster of a joint study is not this study's, or has other keys for
            this site than its own.
    """
    terms = StudyTerms.from_request(invitation.request)
    site = site_with_data_set(home, data_set, base)
    policy = load_policy(site.policy)
    policy.check_data_set(data_set.name)
    _check(policy, terms)
    base_model = open_generator(site.base, terms.trainable, "cpu", image_size=terms.data.image_size)
    if not base_model.is_base(invitation.base):
        raise ModelError(
            f"The study starts from base {invitation.base[:12]}, "
            f"this one is {base_model.digest[:12]}.",
            hint="Copy the study's base to this machine and name its folder with --base.",
        )
    if terms.is_joint:
        require_joint(invitation.request, terms, site, policy)
    report("steps", 1, 3)
    cost = None
    if terms.privacy.enabled:
        known_spending(home.folder, site.state, allow_non_private=policy.allow_non_private)
        cost = study_cost(site.ledger, policy, terms, invitation.digest, invitation.rounds)
    report("steps", 2, 3)
    facts = (
        (
            "Study",
            f"{invitation.name}, {counted(invitation.rounds, 'round')}. Digest "
            f"{invitation.digest}.",
        ),
        *_about(terms),
        ("Trained", _trained(terms)),
        ("Patients", _patients(site, policy, terms, base_model, report)),
        ("Words", _words(terms, base_model)),
        ("Leaves", _leaving(terms, base_model, policy)),
        ("Stays", "Every scan, every header value, every count that has no noise, every key."),
        *together_with(terms, site.name),
        ("Privacy", privacy_promised(terms)),
        ("Cost", cost_told(cost, data_set.name)),
        ("Learns", learning_expected(terms, invitation.rounds, _numbers(base_model))),
        ("Machine", memory_sentence(home, policy, terms, base_model)),
    )
    report("steps", 3, 3)
    return Proposal(study=invitation.digest, facts=facts, cost=cost)


def _check(policy: SitePolicy, terms: StudyTerms) -> None:
    """Ask the policy about a step of the study, as if there were patients enough."""
    privacy, local = terms.privacy, terms.local
    mechanism = SubsampledGaussian(privacy.sample_rate, policy.min_noise_multiplier, local.steps)
    check_step(
        policy,
        ProposedStep(
            mechanism=mechanism if privacy.enabled else None,
            clip_norm=privacy.clip_norm,
            patients=policy.min_patients,
            burned_in=terms.data.burned_in,
            captions=terms.data.captions,
            subset=terms.trainable.subset,
            joint=privacy if terms.is_joint else None,
        ),
    )


def _patients(
    site: Site,
    policy: SitePolicy,
    terms: StudyTerms,
    base_model: OpenGenerator,
    report: Progress,
) -> str:
    """Say how many would be trained on, and whether that is too few for the policy."""
    words = study_words(terms.vocabulary, base_model.generator.words)
    try:
        numbers = patient_numbers(site, terms.data, words, report)
    except DataError as failure:
        return f"They cannot be counted, and every round would be refused: {failure.message}"
    text = numbers.sentence(terms.data.holdout_fraction)
    if numbers.training < policy.min_patients:
        text += (
            f" Your policy asks for at least {policy.min_patients} (min_patients): every round "
            "would be refused, and this site says so before any site pays. Add patients, ask for a "
            "smaller share to be kept, or decline."
        )
    return text


def _about(terms: StudyTerms) -> list[tuple[str, str]]:
    """Say what the coordinator says that the study is for, and what it does not say."""
    facts = [(heading, text) for heading, text in terms.about.facts().items() if text]
    if missing := terms.about.missing():
        facts.append(("Not said", f"{missing}. Ask the coordinator before you approve."))
    return facts


def _trained(terms: StudyTerms) -> str:
    side, local = terms.data.image_size, terms.local
    text = (
        f"{_SUBSETS[terms.trainable.subset]}, on images of {side} x {side} pixels, "
        f"{counted(local.steps, 'step')} a round. Set aside: {_BURNED_IN[terms.data.burned_in]}."
    )
    if terms.data.synthetic == "accept":
        text += " Images that say they are synthetic, of no patient, are trained on, too."
    if terms.data.captions == "text":
        text += (
            " With the reports in the data set's table (free text), which are protected as the "
            "images are and leave nowhere."
        )
    if terms.outlook.reason:
        text += f" Chosen by the coordinator from public facts: {terms.outlook.reason}"
    return text


def _words(terms: StudyTerms, base_model: OpenGenerator) -> str:
    """Say of which words captions are made, and what selects those that are the study's own."""
    own, base = terms.vocabulary, base_model.generator.words
    words = study_words(own, base)
    text = (
        "What an image shows is said in words of a fixed list; a header selects them, and nothing "
        "of it is copied. "
    )
    if words.is_few:
        return text + (
            "They are few: modality, one of eight regions of the body, plane or view, one of "
            f"{len(FINDINGS)} kinds of finding ({', '.join(FINDINGS)}), contrast, sex, age band."
        )
    for kind, plural in _PLURALS.items():
        if names := [word.word for word in words.of_kind(kind)]:
            text += f"{plural}: {', '.join(names)}. "
    own_words = [
        f"{word.word} ({', '.join((*word.codes, *word.names)) or 'by this word alone'})"
        for word in words.words
        if word not in base.words
    ]
    if own_words:
        text += f"The study's own, and what selects them: {'; '.join(own_words)}. "
    left_out = [word.word for word in base.words if words.find(word.word, word.kind) is None]
    if left_out:
        text += f"Without: {', '.join(left_out)}. "
    return text.rstrip()


_PLURALS = {
    "finding": "Findings, several at once",
    "body part": "Parts of the body",
    "sequence": "MR sequences",
    "kernel": "CT kernels",
    "view": "Views",
    "laterality": "Sides",
}


def _numbers(base_model: OpenGenerator) -> int:
    return sum(value.numel() for value in base_model.parameters.values())


def _leaving(terms: StudyTerms, base_model: OpenGenerator, policy: SitePolicy) -> str:
    count = _numbers(base_model)
    names = sorted(base_model.parameters)
    if terms.is_joint:
        return leaving_together(terms, count)
    text = (
        f"In every round {len(names)} weight tensors with {count:,} numbers ({names[0]} … "
        f"{names[-1]}), {_FORMS[terms.wire]}, none of which may move further than "
        f"{policy.max_update_norm:g} in all, and short codes for errors."
    )
    if terms.privacy.enabled and terms.privacy.statistics_share:
        text += " Once before: noised coarse mean images of groups of patients."
    if terms.privacy.enabled and terms.privacy.composition_share:
        text += (
            " Noised numbers of patients by modality, body part, finding (of both in the study's "
            "words, too), sex and age band for a data card "
        )
        text += (
            "leave once, as the policy's release_composition allows."
            if policy.release_composition
            else "are kept here, and leave only if you hand them over."
        )
    return text
