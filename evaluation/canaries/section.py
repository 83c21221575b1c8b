"""The section that says what planted patients gave away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..section import Cell, Grid, Measure, Section
from .audit import Audit

KEY = "canaries"
TITLE = "Does the training leak planted patients?"


def canaries_section(
    by_steps: Audit,
    by_images: Audit,
    *,
    claim: float | None,
    confidence: float,
    steps: int,
) -> Section:
    """Say what the two audits prove.

    Args:
        by_steps: Of planted gradients.
        by_images: Of planted images.
        claim: Epsilon of the audited training; ``None`` if it had no privacy.
        confidence: Chance that the larger of their bounds holds.
        steps: Steps of the audited training.
    """
    audits = {"made-up gradients": by_steps, "made-up images": by_images}
    silent = [f"{what}: {audit.silent}" for what, audit in audits.items() if audit.silent]
    bounds = [audit.lower_bound for audit in audits.values() if not audit.silent]
    lower_bound = max(bounds, default=0.0)
    contradicts = claim is not None and lower_bound > claim
    # What one audit proves stands; what neither contradicts is clean only if both could have.
    blind = bool(silent) and not contradicts
    return Section(
        key=KEY,
        title=TITLE,
        summary=_summary(audits, lower_bound, claim, confidence, steps),
        measures=(
            Measure(
                name="epsilon_lower_bound",
                title="Epsilon that the canaries prove",
                value=lower_bound if bounds else None,
                better="lower",
                note=f"The larger of the two below; with confidence {confidence:.0%} epsilon is at "
                "least this."
                if bounds
                else _nothing(silent),
                inconclusive=not bounds,
            ),
            Measure(
                name="epsilon_accounted",
                title="Epsilon accounted for the audited training",
                value=claim,
                better="lower",
                note="" if claim is not None else "It was trained without privacy.",
            ),
            Measure(
                name="epsilon_excess",
                title="Proven epsilon above the accounted one",
                value=None if claim is None or blind else lower_bound - claim,
                better="lower",
                inconclusive=blind,
                note=_nothing(silent)
                if blind
                else "Above 0 the privacy is broken, in the code or in the accounting."
                if claim is not None
                else "Nothing was accounted for: it was trained without privacy.",
            ),
            *_measures("gradient", "made-up gradients", by_steps),
            *_measures("image", "made-up images", by_images),
        ),
        tables=(
            Grid(
                title="Audits in one run",
                columns=(
                    "planted",
                    "canaries",
                    "guesses",
                    "right",
                    "proven epsilon",
                    "most provable",
                ),
                rows=(_row("gradients", by_steps), _row("images", by_images)),
            ),
        ),
    )


def _nothing(silent: Sequence[str]) -> str:
    return f"It could have shown nothing of {'; nor of '.join(silent)}."


def _measures(key: str, what: str, audit: Audit) -> tuple[Measure, Measure]:
    silent = bool(audit.silent)
    return (
        Measure(
            name=f"{key}_epsilon_lower_bound",
            title=f"Epsilon that {what} prove",
            value=None if silent else audit.lower_bound,
            better="lower",
            inconclusive=silent,
            note=f"It could have shown nothing: {audit.silent}."
            if silent
            else f"At delta {audit.delta:g}; so many guesses cannot prove more than "
            f"{audit.most:.2f}.",
        ),
        Measure(
            name=f"{key}_guesses_right",
            title=f"Guesses about {what} that are right",
            value=None if silent else audit.correct / audit.guesses,
            better="lower",
            inconclusive=silent,
            note=f"It could have shown nothing: {audit.silent}." if silent else "0.5 is chance.",
        ),
    )


def _row(name: str, audit: Audit) -> tuple[Cell, ...]:
    if audit.silent:
        return name, audit.canaries, audit.guesses, None, None, None
    return (
        name,
        audit.canaries,
        audit.guesses,
        audit.correct,
        round(audit.lower_bound, 3),
        round(audit.most, 3),
    )


def _summary(
    audits: Mapping[str, Audit],
    lower_bound: float,
    claim: float | None,
    confidence: float,
    steps: int,
) -> str:
    sentences = [_guessed(what, audit) for what, audit in audits.items() if not audit.silent]
    silent = [
        f"The audit by {what} COULD HAVE SHOWN NOTHING: {audit.silent}. That is no clean result."
        for what, audit in audits.items()
        if audit.silent
    ]
    if not sentences:
        return " ".join(silent)
    (delta,) = {audit.delta for audit in audits.values()}
    bound = (
        f"With confidence {confidence:.0%} the epsilon of this training of {steps} steps is at "
        f"least {lower_bound:.2f} at delta {delta:g}."
    )
    return " ".join([*sentences, bound, _verdict(lower_bound, claim), *silent])


def _guessed(what: str, audit: Audit) -> str:
    sees = {
        "made-up gradients": "Who sees each step",
        "made-up images": "Who has the generator before and after",
    }[what]
    return f"{sees} guesses {audit.correct} of {audit.guesses} planted {what} right."


def _verdict(lower_bound: float, claim: float | None) -> str:
    if claim is None:
        return (
            "It was trained without privacy, so nothing bounds what it can give away."
            if lower_bound > 0
            else "It was trained without privacy; that the auditor found nothing proves nothing."
        )
    if lower_bound > claim:
        return (
            f"That is above the accounted {claim:.2f}: THE PRIVACY IS BROKEN, in the code or "
            "in the accounting."
        )
    return (
        f"The accounted epsilon is {claim:.2f}, and nothing contradicts it. The bound is "
        "what this auditor could prove, not what an attacker may learn."
    )
