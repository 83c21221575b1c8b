"""Whether a table of labels and a folder fit together, in sentences for the site itself."""

from __future__ import annotations

from collections.abc import Mapping

from ...common.counted import counted
from ...errors import DataError
from .source import LabelReport


def require_fitting(report: LabelReport | None) -> None:
    """Refuse a table none of whose rows is about an image of the folder.

    Raises:
        DataError: Says why, and by what other names rows would fit.
    """
    if report is None or report.matched:
        return
    reasons = _listed(report.unmatched)
    hint = "Look at the table's names and at what the files say of themselves."
    if report.other_names:
        name, files = max(report.other_names.items(), key=lambda one: one[1])
        hint = (
            f"By its column for the {name}, {counted(files, 'file')} would have a row: "
            f"--labels-by {name}."
        )
    raise DataError(
        f"No row of the table of labels is about an image here, by the {report.by} that it names"
        f" ({reasons}).",
        hint=hint,
    )


#: What becomes of words that the shipped vocabulary has not.
_STUDY_MAY = "They wait for a study that has them among its own words."


def fit_sentences(
    report: LabelReport, *, of_pictures: bool = False, before_study: bool = False
) -> list[str]:
    """Say how a table fits, a sentence each; no name, identifier or rare text is in them.

    Args:
        report: How it fits.
        of_pictures: Whether the images have no header that could say what they show.
        before_study: Whether the table was read in the shipped words, and studies to come may
            have others.
    """
    lines = [
        f"Labels: {report.matched} of {counted(report.rows, 'row')} about images here, by the "
        f"{report.by} that they name."
    ]
    if report.unmatched:
        lines.append(f"Rows not used: {_listed(report.unmatched)}.")
    without = "they are left out" if of_pictures else "there the header holds"
    lines.append(
        f"Images with a row: {report.images}; without one: {report.images_without} ({without})."
    )
    if report.conflicts:
        lines.append(
            f"Contradictions, of which nothing is taken as known: {_listed(report.conflicts)}."
        )
    if report.train or report.held_out:
        lines.append(
            f"The table's split: {counted(report.train, 'patient')} to train on, "
            f"{report.held_out} held out."
        )
    if report.reports:
        lines.append(f"Images with a text, for studies that take texts: {report.reports}.")
    if report.unknown_columns:
        lines.append(f"Columns without a meaning here: {', '.join(report.unknown_columns)}.")
    if report.unknown_words:
        lines.append(f"Labels that are no word of the vocabulary: {_listed(report.unknown_words)}.")
    if before_study and (report.unknown_columns or report.unknown_words):
        lines.append(_STUDY_MAY)
    return lines


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{what} {count}" for what, count in counts.items())
