"""What a study promises of privacy and what it would cost, in plain words for a data steward."""

from __future__ import annotations

from ...common.counted import counted
from ...errors import BudgetExceededError, PrivacyError
from ...federation.joint.roster import Roster
from ...privacy.study_signal import agreement_of, in_words, study_signal
from ..cost import Cost
from ..terms import StudyTerms


def together_with(terms: StudyTerms, site: str) -> tuple[tuple[str, str], ...]:
    """Say who else is in a joint study's sums, and what to compare with them; nothing of others.

    Args:
        terms: The study's terms.
        site: The site's own name.
    """
    roster = terms.roster
    if roster is None:
        return ()
    others = [name for name in roster.names if name != site]
    secrets = (
        "X25519 and ML-KEM-768, which a quantum computer does not break"
        if roster.has_mlkem
        else "X25519 alone: one of the sites has no ML-KEM"
    )
    return (
        (
            "Together",
            f"What this site adds is summed with {', '.join(others)}, and a sum is opened for at "
            f"least {roster.min_sites} of these {len(roster.names)} sites, never for this one "
            f"alone. Each of them adds noise of {roster.minimum_share:g} clip norms at least. "
            f"{_search_told(roster)} Keys between sites: {secrets}.",
        ),
        (
            "Compare",
            f"These words stand for the list of sites and their keys: {roster.words}. Have the "
            "stewards of the others read theirs out on the telephone, on numbers that you know. If "
            "one of them has other words, or you do not know a site, do not approve: the "
            "coordinator hands the list around, and could have invented it.",
        ),
    )


def _search_told(roster: Roster) -> str:
    """Say how a site that spoils the sums is looked for, and what that costs."""
    least, spare = roster.min_sites, counted(roster.spare_attempts, "attempt")
    attempts = f"In the cost below {spare} to spare {_are(roster.spare_attempts)} counted."
    if len(roster.names) < 2 * least:
        return (
            "If a site spoils a sum, it is begun anew, and which site it was is not found out: two "
            f"halves of {least} sites each would take {2 * least}. {attempts}"
        )
    return (
        "If a site spoils a sum, the next ones are opened for two halves of the sites, each of "
        f"{least} at least, until it is found: what this site adds is in one of them, never in "
        f"both, and each is paid for like any other. {attempts}"
    )


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def leaving_together(terms: StudyTerms, count: int) -> str:
    """Say what leaves of a study of which only sums over many sites are ever seen."""
    privacy = terms.privacy
    before = ["the number of patients"]
    if privacy.statistics_share:
        before.append("coarse mean images of groups of patients")
    if privacy.composition_share:
        before.append("numbers of patients for a data card")
    return (
        f"In every round one vector of {count:,} whole numbers, masked so that it says nothing "
        f"by itself: what can be seen is the sum over at least {privacy.min_sites} sites. Once "
        f"before, in the same way: {', '.join(before)}. And short codes for errors."
    )


def privacy_promised(terms: StudyTerms) -> str:
    """Say what a study promises each patient, and against whom."""
    privacy = terms.privacy
    if not privacy.enabled:
        return "None. The updates can reveal single patients."
    if terms.is_joint:
        return (
            f"Each patient's contribution is clipped to {privacy.clip_norm:g} and hidden in noise "
            f"that all sites add together. Two promises for the whole study, both at delta "
            f"{privacy.delta:g}. Epsilon {privacy.epsilon:g}: against the coordinator, "
            f"{counted(privacy.most_colluding, 'other site')} that may work with it, and everybody "
            f"who gets the generator. Epsilon {privacy.collusion_epsilon:g}: if all other sites "
            "work with the coordinator, or the cryptography falls. The second one is what this "
            "site's own part of the noise promises by itself; it is never without bound."
        )
    return (
        f"Each patient's contribution is clipped to {privacy.clip_norm:g} and hidden in noise: "
        f"epsilon {privacy.epsilon:g} at delta {privacy.delta:g} for the whole study."
    )


def learning_expected(terms: StudyTerms, rounds: int, numbers: int) -> str:
    """Say what a study would learn for its budget, by the sizes that its sites declare.

    It is counted anew here, from the terms alone: nothing of this site's patients is in it.

    Args:
        terms: The study's terms.
        rounds: Its rounds.
        numbers: How many numbers train.
    """
    privacy, outlook = terms.privacy, terms.outlook
    if not privacy.enabled:
        return "No noise hides what patients teach."
    if not outlook.patients:
        return (
            "The study does not say how many patients its sites have, so whether its budget buys "
            "more than noise cannot be told beforehand. Ask the coordinator, who can: `fedscan "
            "plan`."
        )
    try:
        signal = study_signal(
            privacy,
            rounds=rounds,
            local_steps=terms.local.steps,
            statistics=privacy.statistics_share > 0,
            patients=outlook.patients,
            numbers=numbers,
            agreement=outlook.agreement or agreement_of(terms.trainable.subset),
        )
    except (BudgetExceededError, PrivacyError) as failure:
        return f"That cannot be told: {failure.message}"
    sizes = ", ".join(f"{count:,}" for count in sorted(outlook.patients, reverse=True))
    how = "measured on made-up patients" if outlook.agreement else "of a typical study"
    return (
        f"{in_words(signal)} Expected before anything is spent, of sites that declare {sizes} "
        f"training patients, and of gradients that agree by {signal.agreement:.2g} ({how})."
    )


def cost_told(cost: Cost | None, data_set: str) -> str:
    """Say what a study would cost a data set, in both ways where there are two.

    Args:
        cost: What it would cost; ``None`` for a study without privacy.
        data_set: Name of the data set.
    """
    if cost is None:
        return "Nothing is entered in a ledger, because nothing is protected."
    if cost.after is None:
        return f"The data set {data_set} cannot pay for it. {cost.problem}"
    text = (
        f"The data set {data_set} has spent epsilon {cost.before:.3g}. With this study it "
        f"will have spent at most {cost.after:.3g} of the {cost.ceiling:g} it may spend in its "
        f"life (delta {cost.delta:g})."
    )
    alone = cost.collusion
    if alone is None:
        return text
    text += (
        f" If all other sites worked together: {alone.before:.3g} before, at most "
        f"{alone.after:.3g} with it, of {alone.ceiling:g} (collusion_ceiling)."
    )
    if not cost.by_round:
        return text
    (_, once, once_alone), *rounds = cost.by_round
    steps = "; ".join(
        f"{counted(number, 'round')} {epsilon:.3g} ({alone_then:.3g})"
        for number, epsilon, alone_then in rounds
    )
    return (
        f"{text} Both grow with each round, spare attempts included: before the first one "
        f"{once:.3g} (if all others work together: {once_alone:.3g}); after {steps}."
    )
