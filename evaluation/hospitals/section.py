"""The section that says whether a hospital can be told from images and weights."""

from __future__ import annotations

from collections.abc import Sequence

from ..measures.results import Interval
from ..section import Grid, Measure, Section
from .knowing import Knowing, best_known
from .naming import FALSE_POSITIVES, Naming, most_suspicious

KEY = "hospitals"
TITLE = "Can the hospital be told?"


def hospitals_section(
    namings: Sequence[Naming], knowings: Sequence[Knowing], *, has_reference: bool
) -> Section:
    """Say what both attacks found.

    Args:
        namings: What images told of each hospital.
        knowings: What the weights told.
        has_reference: Whether the generator before the training was there to compare with.
    """
    measures = (_by_images(namings), _by_weights(knowings, has_reference))
    tables = [_naming_table(namings, has_reference)]
    if knowings:
        tables.append(_knowing_table(knowings))
    return Section(
        key=KEY,
        title=TITLE,
        summary=_summary(measures, namings, knowings),
        measures=measures,
        tables=tuple(tables),
    )


def not_measured(why: str) -> Section:
    """Say why there are no such attacks."""
    measure = Measure.of("image_excess", "Images that name a hospital", None, "lower", note=why)
    return Section.not_measured(KEY, TITLE, measure)


def _by_images(namings: Sequence[Naming]) -> Measure:
    title = "Generated images that name a hospital, more than before the training"
    worst = most_suspicious(namings)
    if worst is None:
        return Measure(
            name="image_excess",
            title=title,
            value=None,
            better="lower",
            inconclusive=True,
            note="It could have shown nothing: no hospital's own real images can be told from "
            "those of others, so there is no trace that an image could carry, or too few patients "
            "are held out to see one.",
        )
    return Measure.of(
        "image_excess",
        title,
        worst.excess,
        "lower",
        note=f"Share of images; of {worst.hospital}, the hospital named most of {len(namings)}, at "
        f"a threshold that takes {FALSE_POSITIVES:.0%} of the others' real images for its own. The "
        "interval holds for all hospitals at once.",
    )


def _by_weights(knowings: Sequence[Knowing], has_reference: bool) -> Measure:
    title = "AUC of telling a hospital by how well its unseen patients are known"
    best = best_known(knowings)
    if best is None:
        why = (
            "No kind of image is in two hospitals."
            if has_reference
            else "The generator before the training is needed (--against base=GENERATOR)."
        )
        return Measure.of("weights_auc", title, None, "lower", note=why)
    return Measure.of(
        "weights_auc",
        title,
        best.auc,
        "lower",
        note=f"0.5 is a guess. Of {best.hospital}, the best known of {len(knowings)}: "
        f"{best.patients} held-out patients of its against {best.others} of others. The interval "
        "holds for all hospitals at once.",
    )


def _summary(
    measures: tuple[Measure, ...], namings: Sequence[Naming], knowings: Sequence[Knowing]
) -> str:
    by_images, by_weights = measures
    parts = []
    worst, best = most_suspicious(namings), best_known(knowings)
    if worst is None:
        parts.append(f"Images: {by_images.note}")
    elif worst.excess.low > 0:
        parts.append(
            f"Images name {worst.hospital}: {worst.synthetic.value:.0%} of them, "
            f"{worst.before.value:.0%} before the training."
        )
    else:
        parts.append(
            "Images name no hospital more than they did before the training, though real ones do."
        )
    if best is None:
        parts.append(f"Weights: {by_weights.note}")
    elif best.auc.low > 0.5:
        parts.append(
            f"The weights tell {best.hospital}: its unseen patients are better known than others' "
            f"of the same kind (AUC {best.auc.value:.2f})."
        )
    else:
        parts.append("By the weights no hospital could be told.")
    parts.append(
        "Privacy of patients does not hide a hospital, which is many of them. These are two "
        "attacks of many, and other hospitals than those here were not asked about."
    )
    return " ".join(parts)


def _naming_table(namings: Sequence[Naming], has_reference: bool) -> Grid:
    before = "Images before" if has_reference else "Others' real images"
    return Grid(
        title="Images taken for a hospital's own, where "
        f"{FALSE_POSITIVES:.0%} of others' real ones are",
        columns=("Hospital", "AUC of real images", "Generated", before, "Excess"),
        rows=tuple(
            (
                one.hospital,
                _words(one.real, ".2f"),
                _words(one.synthetic, ".3f"),
                _words(one.before, ".3f"),
                _words(one.excess, "+.3f"),
            )
            for one in namings
        ),
    )


def _knowing_table(knowings: Sequence[Knowing]) -> Grid:
    return Grid(
        title="How well the training lets the generator know unseen patients, of the same kind",
        columns=("Hospital", "AUC", "Patients", "Of others"),
        rows=tuple(
            (one.hospital, _words(one.auc, ".2f"), one.patients, one.others) for one in knowings
        ),
    )


def _words(estimate: Interval, form: str) -> str:
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"
