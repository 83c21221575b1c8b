"""What a source of labels changes about an image's description."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ...model.description import Description
from .source import ImageLabel


def described(description: Description, label: ImageLabel | None) -> Description:
    """Return a description with the findings that a source tells, in place of the header's.

    Args:
        description: What the header says.
        label: What the source says, if anything.
    """
    if label is None or label.finding is None:
        return description
    return replace(description, finding=label.finding, findings=label.findings)


def common_label(labels: Iterable[ImageLabel | None]) -> ImageLabel | None:
    """Return what all files of a volume say; of findings that differ nothing is known."""
    every = set(labels)
    if len(every) <= 1:
        return next(iter(every), None)
    statements = {(None, ()) if one is None else (one.finding, one.findings) for one in every}
    reports = {"" if one is None else one.report for one in every}
    finding, findings = statements.pop() if len(statements) == 1 else ("", ())
    return ImageLabel(finding, findings, report=reports.pop() if len(reports) == 1 else "")


def labels_digest(labels: Mapping[str, ImageLabel], *, reports: bool) -> str:
    """Hash what a source says of one patient's files; empty if it says nothing.

    Args:
        labels: By file.
        reports: Whether texts are used, and so count.
    """
    rows = [
        [path, label.finding, label.findings, label.report if reports else ""]
        for path, label in sorted(labels.items())
        if label.finding is not None or (reports and label.report)
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest() if rows else ""
