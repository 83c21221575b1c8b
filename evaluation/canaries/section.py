"""The section that says what planted patients gave away."""

from __future__ import annotations

from ..section import Grid, Measure, Section
from .audit import Audit

KEY = "canaries"
TITLE = "Does the training leak planted patients?"


def canaries_section(
    by_steps: Audit,
    by_images: Audit,
    *,
    accounted: float | None,
    confidence: float,
    steps: int,
) -> Section:
    """Say what the two audits prove.

    Args:
        by_steps: Of planted gradients.
        by_images: Of planted images.
        accounted: Epsilon of the audited training; ``None`` if it had no privacy.
        confidence: Chance that the larger of their bounds holds.
        steps: Steps of the audited training.
    """
    proven = max(by_steps.lower_bound, by_images.lower_bound)
    return Section(
        key=KEY,
        title=TITLE,
        summary=_summary(by_steps, by_images, proven, accounted, confidence, steps),
        measures=(
            Measure(
                name="epsilon_lower_bound",
                title="Epsilon that the canaries prove",
                value=proven,
                better="lower",
                note=f"The larger of the two below; with confidence {confidence:.0%} epsilon is at "
                "least this.",
            ),
            Measure(
                name="epsilon_accounted",
                title="Epsilon accounted for the audited training",
                value=accounted,
                better="lower",
                note="" if accounted is not None else "It was trained without privacy.",
            ),
            Measure(
                name="epsilon_excess",
                title="Proven epsilon above the accounted one",
                value=None if accounted is None else proven - accounted,
                better="lower",
                note="Above 0 the privacy is broken, in the code or in the accounting."
                if accounted is not None
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


def _measures(key: str, what: str, audit: Audit) -> tuple[Measure, Measure]:
    return (
        Measure(
            name=f"{key}_epsilon_lower_bound",
            title=f"Epsilon that {what} prove",
            value=audit.lower_bound,
            better="lower",
            note=f"At delta {audit.delta:g}; so many guesses cannot prove more than "
            f"{audit.most:.2f}.",
        ),
        Measure(
            name=f"{key}_guesses_right",
            title=f"Guesses about {what} that are right",
            value=audit.correct / audit.guesses,
            better="lower",
            note="0.5 is chance.",
        ),
    )


def _row(name: str, audit: Audit) -> tuple[str | int | float, ...]:
    return (
        name,
        audit.canaries,
        audit.guesses,
        audit.correct,
        round(audit.lower_bound, 3),
        round(audit.most, 3),
    )


def _summary(
    by_steps: Audit,
    by_images: Audit,
    proven: float,
    accounted: float | None,
    confidence: float,
    steps: int,
) -> str:
    guessed = (
        f"Who sees each of {steps} steps guesses {by_steps.correct} of {by_steps.guesses} planted "
        f"gradients right; who has the generator before and after, {by_images.correct} of "
        f"{by_images.guesses} planted images. With confidence {confidence:.0%} this training's "
        f"epsilon is at least {proven:.2f} at delta {by_steps.delta:g}."
    )
    if accounted is None:
        verdict = (
            "It was trained without privacy, so nothing bounds what it can give away."
            if proven > 0
            else "It was trained without privacy; that the auditor found nothing proves nothing."
        )
    elif proven > accounted:
        verdict = (
            f"That is above the accounted {accounted:.2f}: THE PRIVACY IS BROKEN, in the code or "
            "in the accounting."
        )
    else:
        verdict = (
            f"The accounted epsilon is {accounted:.2f}, and nothing contradicts it. The bound is "
            "what this auditor could prove, not what an attacker may learn."
        )
    return f"{guessed} {verdict}"
