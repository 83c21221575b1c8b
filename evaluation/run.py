"""A whole examination: its sections one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..common.progress import Progress, no_progress, part_of
from ..errors import ConfigurationError, DataError
from .finished_sections import KeptSections
from .section import Section
from .subject import Subject


class Examiner(Protocol):
    """Makes one section of an examination."""

    def __call__(self, subject: Subject, *, on_progress: Progress) -> Section:
        """Examine the subject."""


def run_examiners(
    subject: Subject,
    examiners: Mapping[str, Examiner],
    *,
    only: Sequence[str] = (),
    store: KeptSections | None = None,
    on_progress: Progress = no_progress,
) -> tuple[Section, ...]:
    """Run examiners one after another; where the data do not allow one, its section says why.

    Args:
        subject: What is examined.
        examiners: By the key of their section.
        only: Keys of the sections wanted; all without any.
        store: Where finished sections are put, and taken from if they are there.
        on_progress: Told about the progress of the whole.

    Raises:
        ConfigurationError: If a section is not known.
    """
    strange = [key for key in only if key not in examiners]
    if strange:
        raise ConfigurationError(
            f"There is no section {strange[0]!r}.", hint=f"Sections are {', '.join(examiners)}."
        )
    keys = [key for key in examiners if not only or key in only]
    sections = []
    for number, key in enumerate(keys):
        tell = part_of(on_progress, number, len(keys), name=key)
        if store and (section := store.find(key)):
            tell("taken up as it was left", 1, 1)
            sections.append(section)
            continue
        tell("begins", 0, 1)
        try:
            if store:
                store.forget(key)
            sections.append(examiners[key](subject, on_progress=tell))
            if store:
                store.keep(sections[-1])
        except DataError as failure:
            # Other sections took their time: what they found is not lost over this one.
            sections.append(Section(key=key, title=key.capitalize(), summary=_why(failure)))
    return tuple(sections)


def _why(failure: DataError) -> str:
    return f"Not measured. {failure}"
