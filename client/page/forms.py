"""What the page's forms send, by the name of the action that each asks for."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

#: A file that is taken in is a few kilobytes; a list of patients may be longer.
_LONGEST_FILE = 4_000_000


class PageForm(BaseModel):
    """A form without fields; all others have some, and nothing beside them."""

    model_config = ConfigDict(extra="forbid", strict=True, str_max_length=_LONGEST_FILE)


class OfDataSet(PageForm):
    """A data set, by its name."""

    data: str


class OfStudy(PageForm):
    """A study, by its digest."""

    study: str


class ForDataSet(OfStudy):
    """A study for a data set, and the folder of its base; the site's own base if empty."""

    data: str
    base: str = ""


class Refusal(OfStudy):
    """A study, and why it is declined."""

    reason: str


class InvitationFile(PageForm):
    """An invitation's file."""

    content: str


class Identifiers(PageForm):
    """Patient identifiers, one a line; for a check they may be left out."""

    identifiers: str = ""


class NewSource(PageForm):
    """A new data set: what it is called and where its scans come from."""

    name: str
    folder: str = ""
    dicomweb: str = ""
    receive: str = ""
    query: str = ""
    modalities: str = ""
    authority: str = ""
    credentials: str = ""
    senders: str = ""
    labels: str = ""
    labels_by: str = ""


class Labels(OfDataSet):
    """A data set's table of labels; the one that it has, if empty."""

    table: str = ""
    labels_by: str = ""


class NewFolder(OfDataSet):
    """Where a data set's scans lie now."""

    folder: str


class Charge(OfDataSet):
    """Steps that ran and are not in the ledger."""

    steps: int = Field(ge=1)
    sample_rate: float = Field(gt=0, le=1, allow_inf_nan=False)
    noise: float = Field(ge=0, allow_inf_nan=False)
    purpose: str = Field(min_length=1)


class NotedHead(PageForm):
    """A head of the audit log that was noted elsewhere; none if empty."""

    head: str = ""


class NewEvidence(PageForm):
    """A new folder for the signed document."""

    folder: str


class WelcomeFile(PageForm):
    """The coordinator's welcome, and the fingerprint that was read out; only shown without it."""

    content: str
    fingerprint: str = ""


def path_of(text: str) -> Path | None:
    """Return a path that was typed in; ``None`` for an empty field."""
    return Path(text.strip()).expanduser() if text.strip() else None


def words_of(text: str) -> tuple[str, ...]:
    """Return what was typed in with commas or blanks between."""
    return tuple(text.replace(",", " ").split())
